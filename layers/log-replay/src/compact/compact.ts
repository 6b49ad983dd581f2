import { NewestImages } from "./changes.ts";
import type { FramedLine } from "../format/frame.ts";
import { unbroken } from "../read/chain.ts";
import { fromNewestSnapshot, stretchesAfter } from "../read/newest-snapshot.ts";
import { readStretch } from "../read/stretch.ts";
import { Merge } from "../read/merge.ts";
import { lastBegun, mayCompact, type Stretch } from "../protocol.ts";
import { timeOf, type Position } from "../format/record.ts";
import { FORMAT } from "../format/version.ts";
import { encodeSnapshot } from "./encode-snapshot.ts";
import type { LogStore, Segment, Snapshot } from "../stores/store.ts";

/** Bytes of changed images that one pass holds at most, approximately. */
const PASS_BYTES = 64 * 1024 * 1024;
/** Bytes of records between two calls of `onProgress`. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * How long a compaction goes on, and what it may take.
 *
 * @example
 * const options: CompactOptions = { signal: shutdown, onProgress: ({ bytes, ofBytes }) => console.log(bytes / ofBytes) };
 */
export interface CompactOptions {
  /** No further pass begins after this time; milliseconds since 1970. The next call does what is left over. */
  readonly deadline?: number;
  /** Bytes of changed images in memory at most, approximately. Default 64 MiB. */
  readonly memory?: number;
  /** Told now and then how many commits and bytes of the log are folded so far, and of how many. */
  readonly onProgress?: (progress: CompactProgress) => void;
  /** Makes it give up between two reads. What is installed stays. */
  readonly signal?: AbortSignal;
}

export interface CompactProgress {
  readonly commits: number;
  readonly bytes: number;
  readonly ofBytes: number;
}

export interface CompactResult {
  /** The newest snapshot; null if there is nothing that could be folded. */
  readonly snapshot: Snapshot | null;
  /** Commits that this call folded into it. */
  readonly commits: number;
  /** Segments that this call archived. */
  readonly archived: number;
}

/**
 * Folds the log into a snapshot and archives the segments that are wholly in it, so that a restore reads the live keys
 * and what came since, however long the history is. Any process can do it at any time, several at once too, beside
 * transactions and restores. If it is killed anywhere, it leaves a log that is right, and the next one goes on.
 *
 * @throws LogDamageError; StoreUnavailableError; whatever `signal` is aborted with
 *
 * @example
 * const { commits, archived } = await compact(store, { deadline: Date.now() + 20_000 });
 */
export async function compact(
  store: LogStore,
  { deadline = Infinity, memory = PASS_BYTES, onProgress = () => undefined, signal }: CompactOptions = {},
): Promise<CompactResult> {
  const ofBytes = (await store.segments()).reduce((sum, segment) => sum + segment.bytes, 0);
  let commits = 0;
  let bytes = 0;
  let archived = 0;
  for (;;) {
    const onRead = (readCommits: number, readBytes: number): void => {
      signal?.throwIfAborted();
      onProgress({ commits: commits + readCommits, bytes: bytes + readBytes, ofBytes });
    };
    const done = await fromNewestSnapshot(store, (older) => pass(store, older, memory, onRead));
    await store.archive(done.segments);
    archived += done.segments.length;
    commits += done.commits;
    bytes += done.bytes;
    if (!done.more || Date.now() >= deadline) return { snapshot: await store.snapshot(), commits, archived };
  }
}

/** Told how many commits and bytes a pass has read so far. */
type OnRead = (commits: number, bytes: number) => void;

interface Pass {
  /** How many commits it folded, and how many bytes these have in the log; 0 if nothing was left to fold. */
  readonly commits: number;
  readonly bytes: number;
  /**
   * Whether it ended before the log did. What was appended meanwhile does not count, or writers would keep it busy for
   * ever.
   */
  readonly more: boolean;
  /** What is wholly in the snapshot now. */
  readonly segments: readonly Segment[];
}

const NOTHING: Pass = { commits: 0, bytes: 0, more: false, segments: [] };

async function pass(store: LogStore, older: Snapshot | null, memory: number, onRead: OnRead): Promise<Pass> {
  const begins = await store.begins();
  const live = lastBegun(begins);
  // A begin can be seen before it is durable.
  await store.sync([]);
  // It is sealed: whoever claimed the next epoch may have looked before this begin was there, and may go on from
  // elsewhere.
  const mayFold = async (): Promise<boolean> => mayCompact(live, live > 0 && (await store.isSealed(live)));
  if (!(await mayFold())) return NOTHING;
  const history = unbroken(begins, live);

  const reading = new Reading(store, memory, onRead, older);
  for (const stretch of stretchesAfter(history, older)) {
    if (reading.full) break;
    await (stretch.epoch === live ? reading.live(stretch) : reading.sealed(stretch));
  }
  const { end, commits, bytes, changes } = reading;
  // Only now, when all that was read is durable before anybody claims, does every later epoch go on after it.
  if (end === null || !(await mayFold())) return NOTHING;

  const below = (await store.segments()).filter(({ epoch }) => isWhollyBelow(epoch, end, history));
  const segments = [...below, ...reading.covered];
  if (commits > 0) {
    // Another compaction may have been faster. What is folded is then in its snapshot.
    const format = begins.get(end.epoch)?.format ?? FORMAT;
    const whole = { ...end, time: reading.time, format };
    await store.installSnapshot(end, encodeSnapshot(store, older, changes, whole, new Date()));
  }
  const newest = await store.snapshot();
  if (newest !== null) await store.removeSnapshots(newest);
  return { commits, bytes, more: reading.full, segments };
}

/** Whether all that counts of an epoch's commits is at or before a position. */
function isWhollyBelow(epoch: number, position: Position, history: readonly Stretch[]): boolean {
  const next = history.find((stretch) => stretch.epoch > epoch);
  return next !== undefined && next.from <= position.n;
}

/** One pass over the log, from a snapshot on, until the log ends or the memory is used up. */
class Reading {
  readonly changes = new NewestImages();
  commits = 0;
  bytes = 0;
  /** How far it has got. */
  end: Position | null;
  /** When that commit was made, if this pass has read it; milliseconds since 1970. */
  time = NaN;
  /** Segments of the live epoch that take no more frames, and of which every commit was read. */
  covered: readonly Segment[] = [];
  readonly #store: LogStore;
  readonly #memory: number;
  readonly #onRead: OnRead;
  #untold = 0;

  constructor(store: LogStore, memory: number, onRead: OnRead, from: Position | null) {
    this.#store = store;
    this.#memory = memory;
    this.#onRead = onRead;
    this.end = from;
  }

  get full(): boolean {
    return this.changes.bytes >= this.#memory;
  }

  /** An epoch that is over. What counts of it is known, and has been durable since the next one began. */
  async sealed(stretch: Stretch): Promise<void> {
    for await (const lines of readStretch(this.#store, stretch)) {
      this.#add(lines);
      if (this.full) return;
    }
  }

  /**
   * The epoch that is being written to: its commits as far as they are there without a hole. The last frame of a
   * segment may not be durable, so it is made durable.
   */
  async live({ epoch, from }: Stretch): Promise<void> {
    const merge = await Merge.open(this.#store, await this.#store.segments(epoch), { asListed: false });
    try {
      for (let next = from + 1; !this.full;) {
        const lines = await merge.take(next, Infinity);
        if (lines.length === 0) break;
        this.#add(lines);
        next += lines.length;
      }
      await this.#store.sync(merge.lastFrames());
      this.covered = merge.ended.filter(({ segment }) => segment.closed).map(({ segment }) => segment);
    } finally {
      await merge.close();
    }
  }

  #add(lines: readonly FramedLine[]): void {
    let bytes = 0;
    for (const line of lines) {
      this.changes.add(line);
      bytes += line.line.length;
    }
    const { epoch, n, line: last } = lines.at(-1) as FramedLine;
    this.end = { epoch, n };
    this.time = timeOf(last);
    this.commits += lines.length;
    this.bytes += bytes;
    this.#untold += bytes;
    if (this.#untold < PROGRESS_BYTES) return;
    this.#untold = 0;
    this.#onRead(this.commits, this.bytes);
  }
}
