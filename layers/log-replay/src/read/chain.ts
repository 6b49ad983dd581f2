import { LogDamageError } from "../errors.ts";
import { chain, lastBegun, type Stretch } from "../protocol.ts";
import type { Begin, LogStore, Segment } from "../stores/store.ts";

/** The history that ends with epoch `last`, oldest first. @throws LogDamageError if a begin is lost */
export function unbroken(begins: ReadonlyMap<number, Begin>, last: number): readonly Stretch[] {
  const history = chain(begins, last);
  if (history === null) throw new LogDamageError("begin", 0, `the chain of epochs below ${last} is broken`);
  return history;
}

/** One listing for all epochs: with one for each, their number would count twice. */
export function byEpoch(segments: readonly Segment[]): Map<number, Segment[]> {
  const found = new Map<number, Segment[]>();
  for (const segment of segments) {
    const own = found.get(segment.epoch);
    if (own === undefined) found.set(segment.epoch, [segment]);
    else own.push(segment);
  }
  return found;
}

/** All that a restore may read: the history, and the segments of each epoch, which were listed once the history was known. */
export interface WholeHistory {
  /** Of all epochs that have begun, those too that a later one has passed over. */
  readonly begins: ReadonlyMap<number, Begin>;
  readonly history: readonly Stretch[];
  readonly segments: ReadonlyMap<number, readonly Segment[]>;
}

/** The history of all epochs that have begun, oldest first. @throws LogDamageError if a begin is lost */
export async function wholeHistory(store: LogStore): Promise<WholeHistory> {
  const begins = await store.begins();
  const last = lastBegun(begins);
  const history = unbroken(begins, last);
  const segments = byEpoch(await store.segments());
  // Nothing is appended in an epoch before its begin is durable, so records without a begin mean that it was lost.
  for (const [epoch, [segment]] of segments)
    if (epoch > last && segment !== undefined)
      throw new LogDamageError(segment.name, 0, `epoch ${epoch} has records, and its beginning is gone`);
  return { begins, history, segments };
}
