import { GoneError } from "../errors.ts";
import type { Begin, LogStore } from "../stores/store.ts";
import { assertSnapshotFormat, HEAD_BYTES } from "./snapshot.ts";

/**
 * Looks at the format of what a restore reads, before anything is claimed or truncated. The store's own was looked at when it was
 * opened, and that of segments is their epoch's.
 * @returns how its epochs begin
 * @throws FormatError; LogDamageError
 */
export async function assertKnownFormat(store: LogStore): Promise<Map<number, Begin>> {
  const [begins] = await Promise.all([store.begins(), assertKnownSnapshot(store)]);
  return begins;
}

async function assertKnownSnapshot(store: LogStore): Promise<void> {
  const snapshot = await store.snapshot();
  if (snapshot === null) return;
  try {
    for await (const head of store.readSnapshot(snapshot, HEAD_BYTES)) {
      assertSnapshotFormat(head, snapshot.name);
      return;
    }
  } catch (error) {
    // There is a newer one by now.
    if (!(error instanceof GoneError)) throw error;
    return assertKnownSnapshot(store);
  }
}
