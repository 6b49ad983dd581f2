import { openFileStore, type LogStore } from "../../src/index.ts";
import { openS3Store } from "../../src/stores/s3/index.ts";
import { counted } from "./counted-store.ts";
import { credentials, REGION } from "./s3-server.ts";

/** Where a log is, in words that another process understands. */
export type Place =
  /** `delay`: milliseconds that each request takes more. */
  | { readonly folder: string; readonly delay?: number }
  | { readonly endpoint: string; readonly bucket: string; readonly prefix: string };

/** @returns the store there, and how often it was asked */
export async function openPlace(place: Place): Promise<{ readonly store: LogStore; asked(): number }> {
  if ("folder" in place) return counted(await openFileStore({ folder: place.folder }), place.delay ?? 0);
  // A machine that is busy with other things is no reason to send a request again.
  return counted(await openS3Store({ ...place, region: REGION, credentials, attemptTimeout: 120_000 }), 0);
}
