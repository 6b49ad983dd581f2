import { processWide } from "log-replay/process-wide";
import { Channel } from "redis-occ/channel";
import { describe, log } from "../request-log.ts";
import { stateConfiguration } from "../settings/configuration.ts";
import type { DrivenSaga } from "./saga-journal.ts";
import type { Saga } from "./sagas.ts";

const CHANNEL = "shop:checkouts";

/** What somebody who waits for a saga hears: how it ended, or that it did and that the record says how. */
export type News = Saga | "look";

/** Somebody waits for a saga's end. */
export interface Watch {
  /** What was heard since the last call. @param timeout milliseconds @returns null where nothing was heard by then */
  next(timeout: number): Promise<News | null>;
  end(): void;
}

/** The one of the process, however many functions are in it. */
export function openOutcomes(): Promise<Outcomes> {
  return processWide("shop:outcomes", async () => new Outcomes(stateConfiguration("order").redisUrl));
}

/**
 * Tells those who wait for a checkout that it has ended: in this process directly, in others by a channel of order's Redis
 * that each process listens to while somebody in it waits. An announcement may be lost; the saga's record is the truth.
 */
export class Outcomes {
  readonly #channel: Channel;
  readonly #waiting = new Map<string, Set<(news: News) => void>>();
  #announced: string[] = [];
  #publishing: Promise<void> | undefined;

  constructor(redisUrl: string) {
    this.#channel = new Channel({
      url: redisUrl,
      name: CHANNEL,
      onMessage: (text) => text.split(" ").forEach((id) => this.#tell(id, "look")),
    });
  }

  /** Once this has resolved, it misses no announcement, unless the connection is lost. */
  async watch(id: string): Promise<Watch> {
    let heard: News | null = null;
    let wake = (): void => undefined;
    const hear = (news: News): void => {
      heard = news;
      wake();
    };
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters.add(hear));
    await this.#channel.listen().catch((error: unknown) => {
      log("warn", "announcements", { service: "order", error: describe(error, false) });
    });
    return {
      next: (timeout) =>
        new Promise((resolve) => {
          wake = () => {
            clearTimeout(timer);
            resolve(heard);
            [heard, wake] = [null, () => undefined];
          };
          const timer = setTimeout(wake, timeout);
          if (heard !== null) wake();
        }),
      end: () => {
        waiters.delete(hear);
        if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.#channel.rest();
      },
    };
  }

  /** Resolves once the other processes were told as well, or could not be. */
  announce({ id, saga }: DrivenSaga): Promise<void> {
    this.#tell(id, saga);
    this.#announced.push(id);
    // All that end in this turn of the event loop are announced together.
    this.#publishing ??= new Promise((resolve) => setImmediate(() => void this.#publish().then(resolve)));
    return this.#publishing;
  }

  /** Never rejects. */
  async #publish(): Promise<void> {
    this.#publishing = undefined;
    try {
      await this.#channel.publish(this.#announced.splice(0).join(" "));
    } catch (error) {
      log("warn", "announcements", { service: "order", error: describe(error, false) });
    }
  }

  #tell(id: string, news: News): void {
    this.#waiting.get(id)?.forEach((resolve) => resolve(news));
  }
}
