import { GoneError, LogDamageError } from "../errors.ts";
import { after, type Stretch } from "../protocol.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";

/**
 * Reads from the newest snapshot on, and does so again if a compaction has meanwhile taken away what was being read: a
 * newer snapshot then holds it, and the error says nothing about the log.
 *
 * @param read may be called more than once
 */
export async function fromNewestSnapshot<T>(
  store: LogStore,
  read: (snapshot: Snapshot | null) => Promise<T>,
): Promise<T> {
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

/** What of a history is left to read after a snapshot. @throws LogDamageError if the snapshot is of another history */
export function stretchesAfter(history: readonly Stretch[], snapshot: Snapshot | null): Stretch[] {
  const stretches = after(history, snapshot);
  if (stretches === null)
    throw new LogDamageError(
      snapshot?.name ?? "snapshot",
      0,
      "its commit is not in the history that the beginnings tell",
    );
  return stretches;
}
