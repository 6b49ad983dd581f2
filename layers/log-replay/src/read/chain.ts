import { LogDamageError } from "../errors.ts";
import { chain, lastBegun, type Stretch } from "../protocol.ts";
import type { Begin, LogStore } from "../stores/store.ts";

/** The history that ends with epoch `last`, oldest first. @throws LogDamageError if a begin is lost */
export function unbroken(begins: ReadonlyMap<number, Begin>, last: number): readonly Stretch[] {
  const history = chain(begins, last);
  if (history === null) throw new LogDamageError("begin", 0, `the chain of epochs below ${last} is broken`);
  return history;
}

/** The history of all epochs that have begun, oldest first. @throws LogDamageError if a begin is lost */
export async function wholeHistory(store: LogStore): Promise<readonly Stretch[]> {
  const begins = await store.begins();
  const last = lastBegun(begins);
  const history = unbroken(begins, last);
  await assertNoneBeyond(store, last);
  return history;
}

/** Nothing is appended in an epoch before its begin is durable, so records without a begin mean that it was lost. */
async function assertNoneBeyond(store: LogStore, parent: number): Promise<void> {
  for (const epoch of await store.claims()) {
    if (epoch <= parent) continue;
    const [segment] = await store.segments(epoch);
    if (segment !== undefined)
      throw new LogDamageError(segment.name, 0, `epoch ${epoch} has records, and its beginning is gone`);
  }
}
