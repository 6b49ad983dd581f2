import { setTimeout as sleep } from "node:timers/promises";
import { GoneError, LogDamageError } from "../errors.ts";
import { closeFrame, withoutTrailer } from "../format/frame.ts";
import { positionOf, type Position } from "../format/record.ts";
import { isDecided, isInHistory, lastBegun, type Stretch } from "../protocol.ts";
import { unbroken } from "../read/chain.ts";
import { EpochReader } from "../read/epoch-reader.ts";
import { stretchesAfter } from "../read/newest-snapshot.ts";
import type { Begin, LogStore, Segment, Snapshot } from "../stores/store.ts";

const FRAME_LINES = 1_000;
const FRAME_BYTES = 1024 * 1024;
const SEGMENT_BYTES = 16 * 1024 * 1024;
const CLAIMS_AT_ONCE = 32;

/** Copies that are begun anew at most, because a recovery came between; and how long one waits for a recovery to end. */
const ATTEMPTS = 10;
const PATIENCE = 5_000;
const POLL = 50;

export interface Copied {
  /** The last commit of the copy; null where there was none. */
  readonly position: Position | null;
  /** Why history from before the snapshot is not in the copy: the archive of the source is damaged or was taken away. */
  readonly archiveDamage: LogDamageError | null;
}

/**
 * Copies a log, while others write to it, restore from it and compact it. The copy is the beginning of the history: every
 * commit up to one that is at or after the last one that anybody was answered for when this began, each once, checksums looked
 * at, with the epochs, the newest snapshot and the archive. It need not be the same kind of store.
 *
 * Order is everything. First the snapshot, then the epochs: so they lead to its commit. Then what each epoch has, in the order
 * of commits: a reader believes in an end only after another look, so the copy has no hole, however segments are moved
 * meanwhile. Last the look for a claim. There is none: whoever claims later finds all that was copied, and goes on from
 * behind it. There is one: once it is decided where the recovery has cut, the copy ends before that, or is made anew up to there.
 *
 * @param into makes an empty store; called again for each attempt, of which the last one counts
 * @throws LogDamageError where the source is damaged, but for its archive; StoreUnavailableError; GoneError where recoveries
 *   keep coming between
 *
 * @example
 * const { position } = await copyLog(store, async () => {
 *   const folder = await mkdtemp("copy-");
 *   await createFileStore(folder, store.id);
 *   return openFileStore({ folder });
 * });
 */
export async function copyLog(store: LogStore, into: () => Promise<LogStore>): Promise<Copied> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await copyToItsEnd(store, into)) ?? (await copyDecided(store, into));
    } catch (error) {
      // The snapshot was followed by a newer one while it was read, or a recovery takes its time.
      if (!(error instanceof GoneError) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** @returns null where a recovery came between, and goes on from before what was copied */
async function copyToItsEnd(store: LogStore, into: () => Promise<LogStore>): Promise<Copied | null> {
  const snapshot = await store.snapshot();
  const begins = await store.begins();
  const last = lastBegun(begins);
  const isSealed = async (): Promise<boolean> => last > 0 && (await store.isSealed(last));
  const isAbandoned = (await isSealed()) && !(await isDecidedSoon(store, last));
  if (!isAbandoned && (await isSealed())) return null;
  const goal = await lastCommit(store, last);
  const copied = await copyHistory(store, await into(), { snapshot, begins, history: unbroken(begins, last), goal });
  // Whoever claimed is gone, and nothing has begun since: the next recovery finds what is there now.
  if (!(await isSealed()) || (isAbandoned && lastBegun(await store.begins()) === last)) return copied;
  if (!(await isDecidedSoon(store, last))) throw new GoneError("a recovery has begun and does not end: copy it again");
  const now = await store.begins();
  const isPart = copied.position === null || isInHistory(copied.position, unbroken(now, lastBegun(now)));
  return isPart ? copied : null;
}

/** Only epochs that are over, and the last one as far as it is folded: of those it is known for good what they hold. */
async function copyDecided(store: LogStore, into: () => Promise<LogStore>): Promise<Copied> {
  const snapshot = await store.snapshot();
  const begins = await store.begins();
  const last = lastBegun(begins);
  if (await store.isSealed(last)) throw new GoneError("one recovery follows the other: copy it again");
  const history = unbroken(begins, last).flatMap((stretch) => {
    if (stretch.epoch < last) return [stretch];
    return snapshot?.epoch === last ? [{ ...stretch, to: snapshot.n }] : [];
  });
  return copyHistory(store, await into(), { snapshot, begins, history, goal: Infinity });
}

/** @returns false where it is not decided what the epoch holds, and nobody has begun another one in the meantime */
async function isDecidedSoon(store: LogStore, epoch: number): Promise<boolean> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(POLL)) {
    const last = lastBegun(await store.begins());
    if (isDecided(epoch, last, last > 0 && (await store.isSealed(last)))) return true;
  }
  return false;
}

interface Source {
  readonly snapshot: Snapshot | null;
  readonly begins: ReadonlyMap<number, Begin>;
  readonly history: readonly Stretch[];
  /** The commit at which the last epoch may end, though it goes on. */
  readonly goal: number;
}

async function copyHistory(
  store: LogStore,
  target: LogStore,
  { snapshot, begins, history, goal }: Source,
): Promise<Copied> {
  const last = history.at(-1)?.epoch ?? 0;
  // All of them: a Redis that is in one of these epochs must find it sealed.
  for (let epoch = 1; epoch <= last; epoch += CLAIMS_AT_ONCE) {
    const some = Array.from({ length: Math.min(CLAIMS_AT_ONCE, last - epoch + 1) }, (_, i) => epoch + i);
    await Promise.all(some.map((each) => target.claim(each)));
  }
  for (const { epoch } of history) {
    const begin = begins.get(epoch);
    if (begin !== undefined) await target.writeBegin(epoch, begin);
  }
  let position: Position | null = snapshot;
  if (snapshot !== null) await target.installSnapshot(snapshot, store.readSnapshot(snapshot, FRAME_BYTES));
  for (const stretch of stretchesAfter(history, snapshot))
    position = (await copyStretch(store, target, stretch, goal)) ?? position;
  const archiveDamage = snapshot === null ? null : await copyArchive(store, target, history, snapshot);
  return { position: position && { epoch: position.epoch, n: position.n }, archiveDamage };
}

/** What is folded into the snapshot, as far as the source has it. @returns the damage that ends it */
async function copyArchive(
  store: LogStore,
  target: LogStore,
  history: readonly Stretch[],
  snapshot: Snapshot,
): Promise<LogDamageError | null> {
  const present = new Set((await target.segments()).map(({ name }) => name));
  try {
    for (const { epoch, from, to } of history) {
      if (from >= snapshot.n) break;
      await copyStretch(store, target, { epoch, from, to: Math.min(to, snapshot.n) }, Infinity);
    }
    return null;
  } catch (error) {
    if (error instanceof LogDamageError) return error;
    throw error;
  } finally {
    await target.archive((await target.segments()).filter(({ name }) => !present.has(name)));
  }
}

/** @param goal the commit at which to stop even where there are more @returns the last commit that was copied */
async function copyStretch(
  store: LogStore,
  target: LogStore,
  { epoch, from, to }: Stretch,
  goal: number,
): Promise<Position | null> {
  const reader = new EpochReader(store, { epoch, from });
  const writer = target.createSegment(epoch);
  let lines: string[] = [];
  let bytes = 0;
  let last: Position | null = null;
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    if (writer.size >= SEGMENT_BYTES) await writer.roll();
    await writer.append(closeFrame(lines));
    lines = [];
    bytes = 0;
  };
  try {
    for await (const { n, line } of reader.read(to)) {
      lines.push(withoutTrailer(line));
      bytes += line.length;
      last = { epoch, n };
      if (lines.length >= FRAME_LINES || bytes >= FRAME_BYTES) await flush();
      // Others go on appending: without a goal this could go on for ever.
      if (to === Infinity && n >= goal) break;
    }
  } finally {
    await flush();
    await writer.close();
    await reader.close();
  }
  return last;
}

/** A commit that is at or after every one that anybody was answered for in an epoch. */
async function lastCommit(store: LogStore, epoch: number): Promise<number> {
  let last = 0;
  for (const segment of await store.segments(epoch)) last = Math.max(last, await lastCommitIn(store, segment));
  // What was archived since it was listed is in this one.
  return Math.max(last, (await store.snapshot())?.n ?? 0);
}

const WINDOW = 64 * 1024;
const NEWLINE = 10;

/** Looks at the end of the segment only. */
async function lastCommitIn(store: LogStore, segment: Segment): Promise<number> {
  for (let window = WINDOW; ; window *= 4) {
    const from = Math.max(0, segment.bytes - window);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of store.read(segment, WINDOW, from)) chunks.push(Buffer.from(chunk));
    } catch (error) {
      if (error instanceof GoneError) return 0;
      throw error;
    }
    const end = Buffer.concat(chunks);
    for (let at = end.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : end.lastIndexOf(NEWLINE, at - 1)) {
      const position = positionOf(end.subarray(at + 1));
      if (position !== null) return position.n;
    }
    if (from === 0) return positionOf(end)?.n ?? 0;
  }
}
