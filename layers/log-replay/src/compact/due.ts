import { lastBegun } from "../protocol.ts";
import type { LogStore, Segment } from "../stores/store.ts";

export interface CompactThresholds {
  /**
   * Bytes of segments that could be archived. They must be at least as many as the snapshot has, because that is
   * written anew as a whole.
   */
  readonly bytes: number;
  /** Milliseconds since the first commit of such a segment. */
  readonly age: number;
}

/**
 * Whether compacting is worthwhile. Its cost is in proportion to what is written, however large the snapshot is.
 * @param now milliseconds since 1970
 *
 * @example
 * if (await isCompactionDue(store, { bytes: 64 * 1024 * 1024, age: 24 * 3_600_000 }, Date.now())) await compact(store);
 */
export async function isCompactionDue(
  store: LogStore,
  { bytes, age }: CompactThresholds,
  now: number,
): Promise<boolean> {
  const live = lastBegun(await store.begins());
  // A segment to which its writer may still append stays in the log, whatever is folded of it.
  const segments = (await store.segments()).filter(({ epoch, closed }) => closed || epoch < live);
  const total = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  if (total >= Math.max(bytes, (await store.snapshot())?.bytes ?? 0)) return total > 0;
  for (const segment of segments) if (now - (await firstTime(store, segment)) >= age) return true;
  return false;
}

/** Enough of a segment to tell its first commit's time. */
const HEAD_BYTES = 128;

/** Milliseconds since 1970; Infinity if the segment does not begin with a record. */
async function firstTime(store: LogStore, segment: Segment): Promise<number> {
  for await (const head of store.read(segment, HEAD_BYTES)) {
    const at = /,"at":"([^"]*)"/.exec(head.toString("latin1"))?.[1];
    return at === undefined ? Infinity : Date.parse(at);
  }
  return Infinity;
}
