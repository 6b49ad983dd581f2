/** How checkouts went, second by second, for the last hour of the log. */
import type { SagaRow } from "./saga-table.ts";

const SECONDS = 3_600;
/** Each bucket of a duration is a tenth longer than the one before: from a millisecond to two minutes. */
const BUCKETS = 124;
const GROWTH = Math.log(1.1);

export interface Second {
  /** When it began; milliseconds since 1970. */
  readonly at: number;
  readonly started: number;
  readonly paid: number;
  readonly refused: number;
  readonly aborted: number;
  /** Milliseconds; null where nothing was settled. */
  readonly p50: number | null;
  readonly p99: number | null;
}

export class Rates {
  readonly #second = new Float64Array(SECONDS).fill(-1);
  readonly #started = new Uint32Array(SECONDS);
  readonly #paid = new Uint32Array(SECONDS);
  readonly #refused = new Uint32Array(SECONDS);
  readonly #aborted = new Uint32Array(SECONDS);
  readonly #durations = new Uint16Array(SECONDS * BUCKETS);
  /** The latest second that anything happened in. */
  latest = 0;

  add({ state, startedAt, endedAt, failure }: SagaRow): void {
    if (endedAt === null) {
      if (state === "running") this.#count(this.#started, startedAt);
      return;
    }
    this.#count(
      state === "paid" ? this.#paid : failure === "checkout_aborted" ? this.#aborted : this.#refused,
      endedAt,
    );
    const slot = this.#slot(endedAt);
    if (slot === null) return;
    const duration = Math.max(1, endedAt - startedAt);
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log(duration) / GROWTH));
    const index = slot * BUCKETS + bucket;
    this.#durations[index] = (this.#durations[index] ?? 0) + 1;
  }

  /** Spans of `step` seconds each, `count` of them, the last one ending with second `end` (seconds since 1970). */
  series(end: number, count: number, step: number): Second[] {
    return Array.from({ length: count }, (_, i) => this.sum(end - (count - 1 - i) * step, step));
  }

  /** The `seconds` up to `end` as one. */
  sum(end: number, seconds: number): Second {
    const sums = { started: 0, paid: 0, refused: 0, aborted: 0 };
    const durations = new Uint32Array(BUCKETS);
    let settled = 0;
    for (let second = end - seconds + 1; second <= end; second++) {
      const slot = second % SECONDS;
      if (this.#second[slot] !== second) continue;
      sums.started += this.#started[slot] ?? 0;
      sums.paid += this.#paid[slot] ?? 0;
      sums.refused += this.#refused[slot] ?? 0;
      sums.aborted += this.#aborted[slot] ?? 0;
      for (let i = 0; i < BUCKETS; i++) {
        const count = this.#durations[slot * BUCKETS + i] ?? 0;
        durations[i] = (durations[i] ?? 0) + count;
        settled += count;
      }
    }
    return {
      at: (end - seconds + 1) * 1_000,
      ...sums,
      p50: quantile(durations, settled, 0.5),
      p99: quantile(durations, settled, 0.99),
    };
  }

  #count(counts: Uint32Array, time: number): void {
    const slot = this.#slot(time);
    if (slot !== null) counts[slot] = (counts[slot] ?? 0) + 1;
  }

  /** The slot of a time, emptied where it held an earlier hour's second; null where the time is longer ago than that. */
  #slot(time: number): number | null {
    const second = Math.floor(time / 1_000);
    const slot = second % SECONDS;
    const held = this.#second[slot] ?? -1;
    if (held > second) return null;
    if (held < second) {
      this.#second[slot] = second;
      for (const counts of [this.#started, this.#paid, this.#refused, this.#aborted]) counts[slot] = 0;
      this.#durations.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
      this.latest = Math.max(this.latest, second);
    }
    return slot;
  }
}

function quantile(durations: Uint32Array, count: number, q: number): number | null {
  if (count === 0) return null;
  let left = Math.ceil(q * count);
  for (let i = 0; i < BUCKETS; i++) {
    left -= durations[i] ?? 0;
    if (left <= 0) return Math.round(Math.exp((i + 0.5) * GROWTH) * 10) / 10;
  }
  return null;
}
