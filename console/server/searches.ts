import { Matches, type LogFilter } from "./matches.ts";
import type { ServiceLog } from "./service-log.ts";

/** Filters whose matches are kept, the ones asked for latest. */
const MOST = 16;
/** Milliseconds of work in one go, and after which a search that nobody asks for any more stops. */
const SLICE = 12;
const FORGOTTEN = 5_000;

interface Search {
  readonly matches: readonly Matches[];
  askedAt: number;
  running: boolean;
  /** The slice that is under way: whoever comes meanwhile waits for it. */
  slice: Promise<void> | undefined;
}

/**
 * What is searched for in the logs. Those who look for the same share one search, and it goes on while somebody asks: a
 * request takes what is there, and does no more than a slice of it.
 */
export class Searches {
  readonly #logs: readonly ServiceLog[];
  readonly #searches = new Map<string, Search>();

  constructor(logs: readonly ServiceLog[]) {
    this.#logs = logs;
  }

  /** @returns the matches known by now, and how many records were not looked at yet */
  async find(filter: LogFilter): Promise<{ readonly matches: readonly Matches[]; readonly left: number }> {
    const name = JSON.stringify(filter);
    let search = this.#searches.get(name);
    if (search === undefined) {
      const wanted = this.#logs.filter(({ service }) => filter.services.includes(service));
      search = { matches: wanted.map((log) => new Matches(log, filter)), askedAt: 0, running: false, slice: undefined };
    }
    // The one that was asked for last stands last.
    this.#searches.delete(name);
    this.#searches.set(name, search);
    for (const [oldest] of this.#searches) {
      if (this.#searches.size <= MOST) break;
      this.#searches.delete(oldest);
    }
    search.askedAt = Date.now();
    await this.#slice(search);
    if (!search.running && leftOf(search) > 0) void this.#run(search);
    return { matches: search.matches, left: leftOf(search) };
  }

  /** All that was told of a log has changed. */
  forget(): void {
    this.#searches.clear();
  }

  /** Never rejects. */
  async #run(search: Search): Promise<void> {
    search.running = true;
    while (leftOf(search) > 0 && Date.now() - search.askedAt < FORGOTTEN) {
      await this.#slice(search).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
    search.running = false;
  }

  #slice(search: Search): Promise<void> {
    search.slice ??= this.#work(search).finally(() => (search.slice = undefined));
    return search.slice;
  }

  async #work({ matches }: Search): Promise<void> {
    const end = performance.now() + SLICE;
    do for (const one of matches) await one.search();
    while (performance.now() < end && matches.some(({ left }) => left > 0));
  }
}

function leftOf({ matches }: Search): number {
  return matches.reduce((sum, { left }) => sum + left, 0);
}
