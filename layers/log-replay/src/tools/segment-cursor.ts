import { readFrames, type FramedLine, type OnDamage, type Place, type Torn } from "../frame.ts";
import type { LogStore, Segment } from "../store.ts";

/** Bytes read of a segment at a time. */
const CHUNK = 64 * 1024;

/** Told of a segment whose last frame is torn, or being written. */
export type OnTorn = (segment: Segment, torn: Torn) => void;

/** Walks through one segment in the order of its commits, and on from its end when more has been appended. */
export class SegmentCursor {
  readonly segment: Segment;
  readonly #store: LogStore;
  readonly #onTorn: OnTorn;
  readonly #onDamage: OnDamage;
  readonly #place: Place = { offset: 0, line: 1 };
  #frames: AsyncGenerator<FramedLine[], Torn | null>;
  #frame: FramedLine[] = [];
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
      this.#frame = done ? [] : value;
      if (done && value !== null) this.#onTorn(this.segment, value);
    }
  }

  /** Where it is at the segment's end: the next `seek` finds what has been appended since. */
  resume(): void {
    if (!this.#ended) return;
    this.#ended = false;
    this.#frames = this.#open();
  }

  async close(): Promise<void> {
    await this.#frames.return(null);
  }

  #open(): AsyncGenerator<FramedLine[], Torn | null> {
    return readFrames(this.#store.read(this.segment, CHUNK, this.#place.offset), this.segment.name, { place: this.#place, onDamage: this.#onDamage });
  }
}
