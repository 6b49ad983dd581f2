import {
  readFrames,
  type End,
  type Frame,
  type FramedLine,
  type OnDamage,
  type ReadOffset,
  type Torn,
} from "../format/frame.ts";
import type { LogStore, Segment } from "../stores/store.ts";

/** Bytes read of a segment at a time. */
const CHUNK = 64 * 1024;

/** Told of a segment whose last frame is torn or being written. */
export type OnTorn = (segment: Segment, torn: Torn) => void;

/**
 * Walks through one segment in the order of its commits, and on from its end when more has been appended. What it reads may be gone
 * by then, which `seek` throws as a GoneError: it is of no more use.
 */
export class SegmentCursor {
  readonly segment: Segment;
  readonly #store: LogStore;
  readonly #onTorn: OnTorn;
  readonly #onDamage: OnDamage;
  readonly #reached: ReadOffset = { offset: 0, line: 1 };
  #frames: AsyncGenerator<Frame, End>;
  #frame: readonly FramedLine[] = [];
  #next = 0;
  #ended = false;

  constructor(store: LogStore, segment: Segment, onTorn: OnTorn, onDamage: OnDamage) {
    this.segment = segment;
    this.#store = store;
    this.#onTorn = onTorn;
    this.#onDamage = onDamage;
    this.#frames = this.#open();
  }

  get line(): FramedLine {
    return this.#frame[this.#next] as FramedLine;
  }

  /** The commit it is at; 0 before the first `seek`, Infinity at the segment's end. */
  get n(): number {
    return this.#ended ? Infinity : (this.#frame[this.#next]?.n ?? 0);
  }

  /** Moves on to commit `n`, or the first after it. */
  async seek(n: number): Promise<void> {
    while (this.n < n) {
      if (++this.#next < this.#frame.length) continue;
      const { done, value } = await this.#frames.next();
      this.#next = 0;
      this.#ended = done === true;
      this.#frame = done ? [] : value.lines;
      if (done && value.torn !== null) this.#onTorn(this.segment, value.torn);
    }
  }

  /** If it is at the segment's end, the next `seek` finds what has been appended since. */
  resume(): void {
    if (!this.#ended) return;
    this.#ended = false;
    this.#frames = this.#open();
  }

  async close(): Promise<void> {
    await this.#frames.return({ last: null, torn: null });
  }

  #open(): AsyncGenerator<Frame, End> {
    return readFrames(this.#store.read(this.segment, CHUNK, this.#reached.offset), this.segment.name, {
      reached: this.#reached,
      onDamage: this.#onDamage,
    });
  }
}

/** Whatever folder the store keeps it in, and whether it is there an object of its own or a row of them. */
export function sameSegment(a: string, b: string): boolean {
  return baseName(a) === baseName(b);
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).replace(/\.jsonl$/, "");
}
