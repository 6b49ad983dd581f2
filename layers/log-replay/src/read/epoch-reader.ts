import { GoneError, LogDamageError } from "../errors.ts";
import { raise, type FramedLine, type OnDamage } from "../format/frame.ts";
import { checksumOf } from "../format/record.ts";
import type { LogStore, Segment } from "../stores/store.ts";
import { sameSegment, SegmentCursor, type OnTorn } from "./segment-cursor.ts";

/** A record's line and where it was found. Valid until the next one is asked for. */
export interface SegmentLine extends FramedLine {
  readonly file: string;
}

export interface EpochReaderOptions {
  readonly onTorn?: OnTorn;
  /** Default: throws it. If it returns, reading goes on after the damage. */
  readonly onDamage?: OnDamage;
}

/**
 * Reads an epoch's commits in order, each once, while others may still append to it. It believes a hole or an end only
 * after another look: a commit is durable before those that have seen it, but not in the same segment, and a segment
 * may have been read before that commit was in it.
 */
export class EpochReader {
  readonly epoch: number;
  readonly #store: LogStore;
  readonly #onTorn: OnTorn;
  readonly #onDamage: OnDamage;
  readonly #cursors = new Map<string, SegmentCursor>();
  #last: number;

  /** @param from the commit after which to begin */
  constructor(
    store: LogStore,
    { epoch, from }: { readonly epoch: number; readonly from: number },
    options: EpochReaderOptions = {},
  ) {
    this.epoch = epoch;
    this.#store = store;
    this.#last = from;
    this.#onTorn = options.onTorn ?? (() => undefined);
    this.#onDamage = options.onDamage ?? raise;
  }

  /** The last commit that was read. */
  get last(): number {
    return this.#last;
  }

  /**
   * The commits up to `to`, as far as they are there. Called again, it goes on with what has been appended since.
   * @throws LogDamageError, unless `onDamage` returns: it then passes over a hole
   */
  async *read(to = Infinity): AsyncGenerator<SegmentLine> {
    // What lay behind the missing commit when all segments were looked at again.
    let behind: number | null = null;
    while (this.#last < to) {
      const found = await this.#find(this.#last + 1);
      if (found !== null) {
        behind = null;
        this.#last++;
        yield found;
        continue;
      }
      const next = await this.#next();
      if (behind === null || next < behind) {
        // One segment is read after the other. A commit is appended only when all before it are durable somewhere, or with
        // them: so whoever has seen one finds those before it, in a look that begins after that.
        behind = next;
        await this.#lookAgain();
      } else {
        if (next === Infinity && to === Infinity) return;
        this.#onDamage(missing(this.epoch, this.#last + 1, Math.min(next - 1, to), next > to));
        this.#last = Math.min(next - 1, to);
      }
    }
  }

  /** Whatever else is there and intact: in order, each commit once, with holes. */
  async *rest(): AsyncGenerator<SegmentLine> {
    await this.#lookAgain();
    for (;;) {
      const next = await this.#next();
      if (next === Infinity) return;
      const found = await this.#find(next);
      this.#last = next;
      if (found !== null) yield found;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cursors.values()].map((cursor) => cursor.close()));
  }

  /** The next commit that any segment has; Infinity if none has any more. */
  async #next(): Promise<number> {
    await this.#seek(this.#last + 1);
    return Math.min(Infinity, ...[...this.#cursors.values()].map(({ n }) => n));
  }

  async #find(n: number): Promise<SegmentLine | null> {
    await this.#seek(n);
    let found: SegmentLine | null = null;
    for (const cursor of this.#cursors.values()) {
      if (cursor.n !== n) continue;
      const { name } = cursor.segment;
      if (cursor.line.epoch !== this.epoch)
        this.#onDamage(
          new LogDamageError(
            name,
            cursor.line.number,
            `a record of epoch ${cursor.line.epoch} in a segment of epoch ${this.epoch}`,
          ),
        );
      else if (found === null) found = { ...cursor.line, file: name };
      else if (checksumOf(found.line) !== checksumOf(cursor.line.line)) {
        this.#onDamage(
          new LogDamageError(
            name,
            cursor.line.number,
            `commit ${n} of epoch ${this.epoch} differs from the one at ${found.file}:${found.number}`,
          ),
        );
      }
    }
    return found;
  }

  /**
   * Moves all on to commit `n`, or the first after it. A compaction may take a segment to the archive at any time: it is then read
   * there, from its beginning, since who began while frames were being deleted has read only some of them.
   */
  async #seek(n: number): Promise<void> {
    for (;;) {
      let current: SegmentCursor | undefined;
      try {
        for (const cursor of this.#cursors.values()) {
          current = cursor;
          await cursor.seek(n);
        }
        return;
      } catch (error) {
        if (!(error instanceof GoneError) || current === undefined) throw error;
        const { name } = current.segment;
        this.#cursors.delete(name);
        const segments = await this.#lookForMore();
        if (!segments.some((segment) => sameSegment(segment.name, name))) throw error;
      }
    }
  }

  async #lookAgain(): Promise<void> {
    for (const cursor of this.#cursors.values()) cursor.resume();
    await this.#lookForMore();
  }

  /**
   * Opens what is not read yet. A segment may be both in the log and in the archive, and neither need have all of it: the log no more
   * where frames are deleted one after the other, the archive where one was appended late. So both are read, each from its
   * beginning.
   */
  async #lookForMore(): Promise<Segment[]> {
    const live = await this.#store.segments(this.epoch);
    // The archive is listed after the log: what is moved in between is in both lists, and none is missed.
    const archived = await this.#store.archived(this.epoch);
    const there = [...live, ...archived];
    for (const segment of there)
      if (!this.#cursors.has(segment.name))
        this.#cursors.set(segment.name, new SegmentCursor(this.#store, segment, this.#onTorn, this.#onDamage));
    return there;
  }
}

function missing(epoch: number, first: number, last: number, isEnd: boolean): LogDamageError {
  const which = last > first ? `commits ${first} to ${last} are missing` : `commit ${first} is missing`;
  return new LogDamageError(
    `epoch ${epoch}`,
    0,
    `${which}, and ${isEnd ? "a later epoch goes on from there" : `the log goes on to commit ${last + 1}`}`,
  );
}
