import type { Connection } from "redis-occ";
import { standingOf } from "../read/positions.ts";
import type { LogStore } from "../stores/store.ts";
import type { EpochWriter } from "./epoch-writer.ts";

/** Milliseconds between two comparisons, at least; and which part of the time they may take. */
export const COMPARE_INTERVAL = 1_000;
const COMPARE_SHARE = 1 / 200;

/** Whether the state that a connection leads to is in step with the log: asked of each connection first, and then at intervals. */
export class Comparison {
  readonly #store: LogStore;
  /** The connections over which the state was compared. */
  #compared = new WeakSet<Connection>();
  #next = 0;

  constructor(store: LogStore) {
    this.#store = store;
  }

  /**
   * Compares now where this connection is new, and else now and then, without letting anybody wait: the log may have been
   * exchanged under a process, or data put back.
   * @param guard as it was when the state was read
   * @returns false if the state has to be restored
   * @throws StoreMismatchError if the log is older than the state
   */
  isInStep(writer: EpochWriter, guard: string, connection: Connection): boolean | Promise<boolean> {
    if (!this.#compared.has(connection)) return this.#compare(writer, guard, connection);
    if (performance.now() >= this.#next) {
      this.#next = Infinity;
      this.#compare(writer, guard, connection).catch(() => {
        // Whoever comes next compares again, and is told.
        this.#compared = new WeakSet();
        this.#next = 0;
      });
    }
    return true;
  }

  async #compare(writer: EpochWriter, guard: string, connection: Connection): Promise<boolean> {
    const started = performance.now();
    const { epoch, cut } = writer;
    const standing = await standingOf(this.#store, connection, { guard, epoch, cut });
    const now = performance.now();
    this.#next = now + Math.max(COMPARE_INTERVAL, (now - started) / COMPARE_SHARE);
    if (standing === "in step") {
      this.#compared.add(connection);
      return true;
    }
    if (standing === "went back") writer.goneBack("the log goes on behind the end of the state");
    return false;
  }
}
