import { GoneError } from "../errors.ts";
import type { FramedLine } from "../format/frame.ts";
import { FORMAT } from "../format/version.ts";
import { wholeHistory } from "../read/chain.ts";
import { fromNewestSnapshot, isNewest, stretchesAfter } from "../read/newest-snapshot.ts";
import { readStretch } from "../read/stretch.ts";
import { parentOf, type Stretch } from "../protocol.ts";
import type { SegmentEnd } from "../read/merge.ts";
import { readSnapshot } from "../read/snapshot.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";

/** Bytes of records between two calls of `onProgress`. */
const PROGRESS_BYTES = 1024 * 1024;

/** What the log holds, verified and durable: the ground that a new epoch stands on. */
export interface Survey {
  /** The history, with the last epoch cut where its commits without a hole end. */
  readonly history: readonly Stretch[];
  /** How many records the newest snapshot and what follows it have. */
  readonly records: number;
  /** The epoch and the commit after which the next epoch goes on. */
  readonly parent: number;
  readonly cut: number;
  /** The parent's; the next epoch has it too, or a later one. */
  readonly format: number;
  /** Epochs that have begun since, and in which nothing was committed: the next epoch passes them over, as they did each other. */
  readonly idle: readonly number[];
  readonly truncated: readonly { readonly segment: string; readonly copy: string }[];
}

/**
 * Reads all that a restore will read, and checks checksums, holes and the end. Syncs everything that it stands on,
 * because what a reader sees may still be in the cache of a machine that is about to lose power.
 *
 * Call it only after the epoch that follows is claimed. Whoever appends to older ones from then on finds the claim.
 *
 * @param onProgress called after each step that may take its time
 * @throws LogDamageError
 */
export function surveyHistory(store: LogStore, onProgress: () => Promise<void>): Promise<Survey> {
  return fromNewestSnapshot(store, (snapshot) => survey(store, snapshot, onProgress));
}

async function survey(store: LogStore, snapshot: Snapshot | null, onProgress: () => Promise<void>): Promise<Survey> {
  await onProgress();
  const { begins, history, segments } = await wholeHistory(store);
  await onProgress();
  const top = history.at(-1)?.epoch ?? 0;

  const ends: SegmentEnd[] = [];
  let records = 0;
  let bytes = 0;
  const read = async (lines: readonly FramedLine[]): Promise<void> => {
    records += lines.length;
    for (const { line } of lines) bytes += line.length;
    if (bytes < PROGRESS_BYTES) return;
    bytes = 0;
    await onProgress();
  };
  if (snapshot !== null) for await (const lines of readSnapshot(store, snapshot)) await read(lines);
  let cut = snapshot?.n ?? 0;
  for (const stretch of stretchesAfter(history, snapshot)) {
    await onProgress();
    const own = segments.get(stretch.epoch) ?? [];
    for await (const lines of readStretch(store, stretch, { segments: own, onEnd: (end) => ends.push(end) })) {
      cut += lines.length;
      await read(lines);
    }
  }
  // Older epochs were synced by the recoveries that ended them.
  if (top > 0)
    await store.sync(
      ends.flatMap(({ segment, last }) => (last === null || segment.epoch !== top ? [] : [{ segment, ...last }])),
    );
  await onProgress();
  // What was folded and archived before its segments were listed was not read, so the log seems to end too early.
  if (!(await isNewest(store, snapshot))) throw new GoneError("a newer snapshot was installed meanwhile");

  const truncated = [];
  for (const { segment, torn } of ends) {
    const copy = torn === null ? null : await store.truncate(segment, torn.offset);
    if (copy !== null) truncated.push({ segment: segment.name, copy });
  }
  const ended = history.map((stretch) => (stretch.to === Infinity ? { ...stretch, to: cut } : stretch));
  const parent = parentOf(ended);
  return {
    history: ended,
    records,
    parent,
    cut,
    format: begins.get(parent)?.format ?? FORMAT,
    idle: [...begins.keys()].filter((epoch) => epoch > parent),
    truncated,
  };
}
