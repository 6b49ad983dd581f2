import { LogDamageError } from "../errors.ts";
import { readFrames, type End, type Frame, type FramedLine } from "../format/frame.ts";
import { checksumOf, positionOf } from "../format/record.ts";
import type { LastFrame, LogStore, Segment } from "../stores/store.ts";

/** Bytes that all segments together may hold in chunks, and the largest and smallest chunk. */
const READ_AHEAD = 4 * 1024 * 1024;
const LARGEST_CHUNK = 256 * 1024;
const SMALLEST_CHUNK = 16 * 1024;
/** Enough of a segment to tell its first commit. */
const HEAD_BYTES = 64;
/** Segments whose first bytes are read at the same time, since each takes a round trip to a remote store. */
const HEADS_AT_ONCE = 32;
/** Segments that are opened before the sequence gets to them, for the same reason. */
const OPENED_AHEAD = 32;

/**
 * The segments of one epoch as one sequence of commits, each once, whoever appended it and however often. Each segment
 * is in order by itself. It is opened shortly before the sequence gets to its first commit and closed at its end, so that not many
 * more are open at a time than there were writers at that time.
 */
export class Merge {
  /** Those that were read to their end. */
  readonly ended: SegmentEnd[] = [];
  readonly #waiting: Cursor[];
  /** How many of those that wait are open, from the first one on. */
  #ahead = 0;
  #active: Cursor[] = [];

  private constructor(cursors: Cursor[]) {
    this.#waiting = cursors;
  }

  /**
   * @param asListed as that of `LogStore.read`
   * @throws GoneError
   */
  static async open(
    store: LogStore,
    segments: readonly Segment[],
    { asListed }: { readonly asListed: boolean },
  ): Promise<Merge> {
    const chunk = Math.max(
      SMALLEST_CHUNK,
      Math.min(LARGEST_CHUNK, Math.floor(READ_AHEAD / Math.max(1, segments.length))),
    );
    const cursors: Cursor[] = [];
    for (let from = 0; from < segments.length; from += HEADS_AT_ONCE) {
      const some = segments.slice(from, from + HEADS_AT_ONCE);
      const firsts = await Promise.all(some.map((segment) => firstCommit(store, segment)));
      some.forEach((segment, i) =>
        cursors.push(new Cursor(store.read(segment, chunk, 0, asListed), segment, firsts[i] as number)),
      );
    }
    return new Merge(cursors.sort((a, b) => a.first - b.first));
  }

  /**
   * Commit `n` and as many after it as are at hand, up to `to`; nothing if commit `n` is in no segment. Ask in
   * ascending order. The lines are valid until the next call.
   * @throws LogDamageError if two segments disagree about a commit
   */
  async take(n: number, to: number): Promise<readonly FramedLine[]> {
    for (let next = this.#waiting[0]; next !== undefined && next.first <= n; next = this.#waiting[0]) {
      this.#active.push(this.#waiting.shift() as Cursor);
      this.#ahead = Math.max(0, this.#ahead - 1);
    }
    for (; this.#ahead < Math.min(OPENED_AHEAD, this.#waiting.length); this.#ahead++)
      this.#waiting[this.#ahead]?.open();
    let source: Cursor | undefined;
    let limit = Math.min(to + 1, this.#waiting[0]?.first ?? Infinity);
    for (const cursor of this.#active) {
      if (cursor.n < n) await cursor.seek(n);
      if (source !== undefined && cursor.n === n) {
        assertSame(source.line, cursor.line, cursor.segment.name);
        limit = n + 1;
      } else if (cursor.n === n) source = cursor;
      else limit = Math.min(limit, cursor.n);
    }
    const ended = this.#active.filter(({ end }) => end !== null);
    if (ended.length > 0) {
      this.ended.push(...ended.map(({ segment, end }) => ({ segment, ...(end as End) })));
      this.#active = this.#active.filter(({ end }) => end === null);
    }
    return source?.linesBelow(limit) ?? [];
  }

  /** The lowest commit that is there and was not asked for yet; Infinity if there is none. */
  get beyond(): number {
    return Math.min(this.#waiting[0]?.first ?? Infinity, ...this.#active.map(({ n }) => n));
  }

  /** The last frame that was read of each segment. */
  lastFrames(): LastFrame[] {
    const ended = this.ended.flatMap(({ segment, last }) => (last === null ? [] : [{ segment, ...last }]));
    return [...ended, ...this.#active.flatMap((cursor) => cursor.frame ?? [])];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#active, ...this.#waiting.slice(0, this.#ahead)].map((cursor) => cursor.close()));
  }
}

export interface SegmentEnd extends End {
  readonly segment: Segment;
}

/** The segment's first commit as its first bytes tell it; 0 if they tell none, which reading it will judge. */
async function firstCommit(store: LogStore, segment: Segment): Promise<number> {
  for await (const bytes of store.read(segment, HEAD_BYTES, 0, true)) return positionOf(bytes)?.n ?? 0;
  return 0;
}

/**
 * Walks through one segment in the order of its commits, as a restore reads it: whole runs of lines at a time, and from the
 * beginning again where a file is gone. `SegmentCursor` is the other one: it goes on from a segment's end and into the archive,
 * past damage too, line by line.
 */
class Cursor {
  readonly segment: Segment;
  /** Its first commit, as far as that is known without reading it. */
  readonly first: number;
  readonly #frames: AsyncGenerator<Frame, End>;
  #opening: Promise<IteratorResult<Frame, End>> | undefined;
  #frame: Frame | null = null;
  #next = 0;
  #end: End | null = null;

  constructor(content: AsyncIterable<Buffer>, segment: Segment, first: number) {
    this.segment = segment;
    this.first = first;
    this.#frames = readFrames(content, segment.name);
  }

  get line(): FramedLine {
    return this.#frame?.lines[this.#next] as FramedLine;
  }

  /** The commit it is at; 0 before the first `seek`, Infinity at the segment's end. */
  get n(): number {
    return this.#end === null ? (this.#frame?.lines[this.#next]?.n ?? 0) : Infinity;
  }

  get end(): End | null {
    return this.#end;
  }

  /** The frame that it is in. */
  get frame(): LastFrame | null {
    const first = this.#frame?.lines[0]?.line;
    const last = this.#frame?.lines.at(-1)?.line;
    if (this.#frame === null || first === undefined || last === undefined) return null;
    const length = last.byteOffset + last.length + 1 - first.byteOffset;
    return {
      segment: this.segment,
      offset: this.#frame.offset,
      bytes: Buffer.from(first.buffer, first.byteOffset, length),
    };
  }

  /** The line it is at and those of its frame that follow without a hole, below commit `limit`. */
  linesBelow(limit: number): readonly FramedLine[] {
    const { lines } = this.#frame as Frame;
    const from = this.#next;
    const first = this.line.n;
    let to = from + 1;
    while (to < lines.length && first + to - from < limit && lines[to]?.n === first + to - from) to++;
    return from === 0 && to === lines.length ? lines : lines.slice(from, to);
  }

  /** Begins to read its first frame, for `seek` to wait for. */
  open(): void {
    this.#opening = this.#frames.next();
    // Its failure is `seek`'s.
    this.#opening.catch(() => undefined);
  }

  /** Moves on to commit `n`, or the first after it. */
  async seek(n: number): Promise<void> {
    while (this.n < n) {
      if (++this.#next < (this.#frame?.lines.length ?? 0)) continue;
      const { done, value } = await (this.#opening ?? this.#frames.next());
      this.#opening = undefined;
      this.#next = 0;
      if (done) this.#end = value;
      else this.#frame = value;
    }
  }

  async close(): Promise<void> {
    await this.#frames.return({ last: null, torn: null });
  }
}

function assertSame(a: FramedLine, b: FramedLine, file: string): void {
  if (checksumOf(a.line) !== checksumOf(b.line)) {
    throw new LogDamageError(file, 0, `commit ${a.n} of epoch ${a.epoch} differs from another segment's`);
  }
}
