import { GoneError, LogDamageError } from "./errors.ts";
import { after, chain, lastBegun, type Stretch } from "./protocol.ts";
import type { Begin, LogStore, Snapshot } from "./store.ts";

/**
 * Reads from the newest snapshot on, and again where a compaction has taken away meanwhile what was being read: then a
 * newer snapshot holds it, and whatever error came of it says nothing about the log.
 *
 * @param read may be called more than once
 */
export async function fromNewestSnapshot<T>(store: LogStore, read: (snapshot: Snapshot | null) => Promise<T>): Promise<T> {
  for (;;) {
    const snapshot = await store.snapshot();
    try {
      return await read(snapshot);
    } catch (error) {
      if (!(error instanceof GoneError) && (await isNewest(store, snapshot))) throw error;
    }
  }
}

/** Whether no other snapshot was installed since this one was asked for. */
export async function isNewest(store: LogStore, snapshot: Snapshot | null): Promise<boolean> {
  return (await store.snapshot())?.name === snapshot?.name;
}

/** What of a history is left to read after a snapshot. @throws LogDamageError where the snapshot is of another history */
export function stretchesAfter(history: readonly Stretch[], snapshot: Snapshot | null): Stretch[] {
  const stretches = after(history, snapshot);
  if (stretches === null) throw new LogDamageError(snapshot?.name ?? "snapshot", 0, "its commit is not in the history that the beginnings tell");
  return stretches;
}

/** The history that ends with epoch `last`, oldest first. @throws LogDamageError where a beginning is lost */
export function unbroken(begins: ReadonlyMap<number, Begin>, last: number): readonly Stretch[] {
  const history = chain(begins, last);
  if (history === null) throw new LogDamageError("begin", 0, `the chain of epochs below ${last} is broken`);
  return history;
}

/** The history of all epochs that have begun, oldest first. @throws LogDamageError where a beginning is lost */
export async function wholeHistory(store: LogStore): Promise<readonly Stretch[]> {
  const begins = await store.begins();
  const last = lastBegun(begins);
  const history = unbroken(begins, last);
  await assertNoneBeyond(store, last);
  return history;
}

/** Nothing is appended in an epoch before its beginning is durable: records without one mean that the beginning was lost. */
async function assertNoneBeyond(store: LogStore, parent: number): Promise<void> {
  for (const epoch of await store.claims()) {
    if (epoch <= parent) continue;
    const [segment] = await store.segments(epoch);
    if (segment !== undefined) throw new LogDamageError(segment.name, 0, `epoch ${epoch} has records, and its beginning is gone`);
  }
}
