import type { ServerResponse } from "node:http";
import { beginEvents } from "./answer.ts";
import type { ShopView } from "./shop-view.ts";

/** Milliseconds between two looks, while somebody watches. */
const TICK = 1_000;
const MOST_VIEWERS = 64;
/** Bytes that wait for a slow reader: beyond it ticks are left out. */
const MOST_WAITING = 256 * 1024;

/** Tells all who watch what happens now. One look serves all of them, however many they are. */
export class Live {
  readonly #view: ShopView;
  readonly #viewers = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #happening = 0;

  constructor(view: ShopView) {
    this.#view = view;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** @returns false where there are too many already */
  join(response: ServerResponse): boolean {
    if (this.#viewers.size >= MOST_VIEWERS) return false;
    beginEvents(response);
    response.write("retry: 500\n\n");
    this.#viewers.add(response);
    response.once("close", () => {
      this.#viewers.delete(response);
      if (this.#viewers.size === 0) this.#stop();
    });
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => void this.#tick(), TICK);
      void this.#tick();
    } else if (this.#latest !== "") response.write(this.#latest);
    return true;
  }

  close(): void {
    this.#stop();
    for (const response of this.#viewers) response.destroy();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #latest = "";
  #ticking = false;

  /** Never rejects. */
  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await this.#view.look();
      const now = await this.#view.now();
      const { version } = this.#view.happenings;
      const news = version !== this.#happening;
      this.#happening = version;
      this.#latest = `event: now\ndata: ${JSON.stringify(now)}\n\n`;
      this.#tell(this.#latest + (news ? `event: happened\ndata: ${version}\n\n` : ""));
    } catch {
      // The next one tries again.
    } finally {
      this.#ticking = false;
    }
  }

  #tell(text: string): void {
    for (const response of this.#viewers) if (response.writableLength < MOST_WAITING) response.write(text);
  }
}
