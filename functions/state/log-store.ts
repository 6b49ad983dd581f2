import { createFileStore, openFileStore, type RepairableStore } from "log-replay";
import type { LogLocation } from "../settings/configuration.ts";

/** The store of a service's log, where the configuration says. The S3 part is loaded only where it is used. */
export async function openLogStore({
  logFolder,
  logBucket,
  logStoreId,
  durability,
}: LogLocation): Promise<RepairableStore> {
  const expected = logStoreId === undefined ? {} : { expectedId: logStoreId };
  if (logBucket === undefined) return openFileStore({ folder: logFolder, durability, ...expected });
  const { openS3Store } = await import("log-replay/s3");
  return openS3Store({ ...logBucket, ...expected });
}

/**
 * Makes the store, unless it is there. This is never done along the way, because an empty place must not look like a
 * new shop.
 */
export async function createLogStore({ logFolder, logBucket }: LogLocation): Promise<{ id: string }> {
  if (logBucket === undefined) return createFileStore(logFolder);
  const { createS3Store } = await import("log-replay/s3");
  return createS3Store(logBucket);
}
