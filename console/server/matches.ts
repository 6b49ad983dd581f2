/** Which records of the three logs a reader wants to see, and the time line that they make together. */
import { hash, upperBound } from "./columns.ts";
import { kindOf, type ServiceLog } from "./service-log.ts";

export interface LogFilter {
  readonly services: readonly string[];
  readonly op?: string;
  readonly saga?: string;
  /** A key, or a prefix and a star. */
  readonly key?: string;
  /** Anything that stands in the record's line. */
  readonly text?: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly until?: number;
}

/** Records whose lines are read at once to look for a text. */
const BLOCK = 2_048;

/**
 * The records of one service that fit a filter, newest first. What the index cannot tell is looked up in the log itself,
 * block by block from the newest on: `search` goes on with that.
 */
export class Matches {
  readonly log: ServiceLog;
  readonly #fits: (n: number) => boolean;
  readonly #needles: readonly Buffer[];
  /** Ascending. */
  readonly #newer: number[] = [];
  /** Descending. */
  readonly #older: number[] = [];
  /** Everything from here to `#upTo` was looked at. */
  #from: number;
  #upTo: number;

  constructor(log: ServiceLog, filter: LogFilter) {
    this.log = log;
    this.#fits = fitting(log, filter);
    const { key, text } = filter;
    const partial =
      key?.endsWith("*") === true && kindOf(key.slice(0, -1)) !== key.slice(0, -1) ? key.slice(0, -1) : "";
    this.#needles = [partial, text ?? ""]
      .filter((needle) => needle !== "")
      .map((needle) => Buffer.from(needle === text ? needle : `"${JSON.stringify(needle).slice(1, -1)}`));
    this.#upTo = log.last;
    this.#from = log.last;
  }

  /** Commits that were not looked at yet. */
  get left(): number {
    return this.#from - this.log.base;
  }

  /** How many of them are known up to commit `head`. */
  count(head: number): number {
    return upperBound(this.#newer.length, (i) => this.#newer[i] ?? Infinity, head) + this.#olderFrom(head).count;
  }

  /** The one at a place, counted from the newest one up to commit `head`. */
  nth(place: number, head: number): number {
    const newer = upperBound(this.#newer.length, (i) => this.#newer[i] ?? Infinity, head);
    if (place < newer) return this.#newer[newer - 1 - place] ?? NaN;
    return this.#older[this.#olderFrom(head).skipped + place - newer] ?? NaN;
  }

  #olderFrom(head: number): { count: number; skipped: number } {
    const older = this.#older;
    // Descending, so the ones beyond the head stand first.
    const skipped = older.length - upperBound(older.length, (i) => older[older.length - 1 - i] ?? Infinity, head);
    return { count: older.length - skipped, skipped };
  }

  /** Looks at what was appended, and at one more block of what was there before. */
  async search(): Promise<void> {
    while (this.#upTo < this.log.last) {
      const to = Math.min(this.log.last, this.#upTo + BLOCK);
      this.#newer.push(...(await this.#among(this.#upTo + 1, to)));
      this.#upTo = to;
    }
    if (this.#from > this.log.base) {
      const from = Math.max(this.log.base, this.#from - (this.#needles.length > 0 ? BLOCK : 256 * BLOCK));
      const found = await this.#among(from + 1, this.#from);
      for (let i = found.length - 1; i >= 0; i--) this.#older.push(found[i] as number);
      this.#from = from;
    }
  }

  async #among(from: number, to: number): Promise<number[]> {
    const candidates: number[] = [];
    for (let n = from; n <= to; n++) if (this.#fits(n)) candidates.push(n);
    if (this.#needles.length === 0 || candidates.length === 0) return candidates;
    const lines = await this.log.lines(candidates);
    return candidates.filter((_, i) => this.#needles.every((needle) => lines[i]?.includes(needle) === true));
  }
}

function fitting(log: ServiceLog, { op, saga, key, since, until }: LogFilter): (n: number) => boolean {
  const tests: ((n: number) => boolean)[] = [];
  if (since !== undefined) tests.push((n) => log.timeAt(n) >= since);
  if (until !== undefined) tests.push((n) => log.timeAt(n) <= until);
  if (op !== undefined) {
    const wanted = new Set(op.split(","));
    // By word, not by number: an operation that comes for the first time while the log is followed has none yet.
    tests.push((n) => wanted.has(log.ops.word(log.opAt(n))));
  }
  if (saga !== undefined) {
    const wanted = hash(saga);
    tests.push((n) => log.sagaAt(n) === wanted);
  }
  if (key?.endsWith("*") === true) {
    const kind = kindOf(key.slice(0, -1));
    if (kind.endsWith(":")) tests.push((n) => log.writesKind(n, log.kinds.find(kind) ?? -1));
  } else if (key !== undefined) {
    const wanted = hash(key);
    tests.push((n) => log.writesKey(n, wanted));
  }
  return (n) => tests.every((test) => test(n));
}

/** The last commit of each service that counts: records that come later do not move those that somebody looks at. */
export type Head = Readonly<Record<string, number>>;

export interface Found {
  readonly service: string;
  readonly n: number;
}

/** The records of several services from place `from` on, counted from the newest, by their times. */
export function timelineOf(all: readonly Matches[], heads: Head, from: number, count: number): Found[] {
  const sources = all.map((matches) => ({ matches, head: heads[matches.log.service] ?? matches.log.last }));
  const timeAt = ({ matches, head }: (typeof sources)[number], place: number): number =>
    matches.log.timeAt(matches.nth(place, head));
  const laterThan = (source: (typeof sources)[number], time: number): number =>
    upperBound(source.matches.count(source.head), (place) => -timeAt(source, place), -time - 0.5);
  const total = sources.reduce((sum, { matches, head }) => sum + matches.count(head), 0);
  if (from >= total) return [];
  // The latest time before which at least `from` records stand, in whole milliseconds as the records have them.
  let low = Math.min(...sources.map((source) => oldest(source)));
  let high = Math.max(...sources.map((source) => newest(source)));
  function oldest({ matches, head }: (typeof sources)[number]): number {
    const length = matches.count(head);
    return length === 0 ? Infinity : matches.log.timeAt(matches.nth(length - 1, head));
  }
  function newest({ matches, head }: (typeof sources)[number]): number {
    return matches.count(head) === 0 ? -Infinity : matches.log.timeAt(matches.nth(0, head));
  }
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sources.reduce((sum, source) => sum + laterThan(source, middle - 1), 0) > from) low = middle;
    else high = middle - 1;
  }
  const cursors = sources.map((source) => ({ ...source, place: laterThan(source, low) }));
  let skip = from - cursors.reduce((sum, { place }) => sum + place, 0);
  const found: Found[] = [];
  while (found.length < count) {
    let best: (typeof cursors)[number] | undefined;
    let time = -Infinity;
    // At the same millisecond the later service's record stands first, because the order service begins a checkout.
    for (const cursor of cursors) {
      if (cursor.place >= cursor.matches.count(cursor.head)) continue;
      const own = timeAt(cursor, cursor.place);
      if (own >= time) [best, time] = [cursor, own];
    }
    if (best === undefined) break;
    if (skip > 0) skip--;
    else found.push({ service: best.matches.log.service, n: best.matches.nth(best.place, best.head) });
    best.place++;
  }
  return found;
}
