import { LogDamageError } from "./errors.ts";
import { readFrames, type FramedLine, type Torn } from "./frame.ts";
import { checksumOf } from "./record.ts";
import type { Stretch } from "./protocol.ts";
import type { LogStore, Segment } from "./store.ts";

/** Bytes that all open segments together may hold in chunks, and the largest and smallest chunk. */
const READ_AHEAD = 16 * 1024 * 1024;
const LARGEST_CHUNK = 1024 * 1024;
const SMALLEST_CHUNK = 16 * 1024;

/** Told of each segment whose last frame is torn. */
export type OnTorn = (segment: Segment, torn: Torn) => void;

/**
 * The records of one epoch in commit order, each once, whoever appended them and however often: a merge of its
 * segments, which are in order each by itself.
 *
 * @throws LogDamageError where two segments disagree about a record, or where a commit is missing: one up to
 *   `stretch.to`, or one below another that is there. Each frame holds all below it that was not durable yet, so a hole
 *   is never what a crash leaves, but a lost file.
 */
export async function* readStretch(store: LogStore, stretch: Stretch, onTorn: OnTorn = () => undefined): AsyncGenerator<FramedLine> {
  const segments = await store.segments(stretch.epoch);
  const chunk = Math.max(SMALLEST_CHUNK, Math.min(LARGEST_CHUNK, Math.floor(READ_AHEAD / Math.max(1, segments.length))));
  const cursors = segments.map((segment) => new Cursor(store, segment, chunk, onTorn));
  let expected = stretch.from + 1;
  try {
    for (; expected <= stretch.to; expected++) {
      let found: FramedLine | undefined;
      for (const cursor of cursors) {
        if (cursor.n < expected) await cursor.seek(expected);
        if (cursor.n !== expected) continue;
        if (found === undefined) found = cursor.line;
        else assertSame(found, cursor.line, stretch.epoch, cursor.segment.name);
      }
      if (found === undefined) break;
      yield found;
    }
    if (expected > stretch.to) return;
    const beyond = stretch.to === Infinity ? Math.min(...cursors.map(({ n }) => n)) : stretch.to;
    if (beyond !== Infinity) throw new LogDamageError(`epoch ${stretch.epoch}`, 0, `commit ${expected} is missing, and the log goes on to commit ${beyond}`);
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

/** Walks through one segment in the order of its commits. */
class Cursor {
  readonly segment: Segment;
  readonly #frames: AsyncGenerator<FramedLine[], Torn | null>;
  readonly #onTorn: OnTorn;
  #frame: FramedLine[] = [];
  #next = 0;
  #ended = false;

  constructor(store: LogStore, segment: Segment, chunk: number, onTorn: OnTorn) {
    this.segment = segment;
    this.#frames = readFrames(store.read(segment, chunk), segment.name);
    this.#onTorn = onTorn;
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
      if (++this.#next >= this.#frame.length) await this.#advance();
    }
  }

  async close(): Promise<void> {
    await this.#frames.return(null);
  }

  async #advance(): Promise<void> {
    const { done, value } = await this.#frames.next();
    this.#next = 0;
    if (!done) {
      this.#frame = value;
      return;
    }
    this.#frame = [];
    this.#ended = true;
    if (value !== null) this.#onTorn(this.segment, value);
  }
}

function assertSame(a: FramedLine, b: FramedLine, epoch: number, file: string): void {
  if (checksumOf(a.line) !== checksumOf(b.line)) {
    throw new LogDamageError(file, 0, `commit ${a.n} of epoch ${epoch} differs from another segment's`);
  }
}
