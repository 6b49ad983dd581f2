import { openFileStore } from "../stores/file/store.ts";
import { createFileStore } from "../stores/file/identity.ts";
import type { RepairableStore } from "../stores/store.ts";
import type * as S3 from "../stores/s3/index.ts";
import { ToolError } from "./exit.ts";
import type { Log, Logs } from "./logs.ts";

const S3_URL = /^s3:\/\/([^/]+)\/(.*)$/;

/**
 * Logs by where they are: folders, and `s3://BUCKET/PREFIX` with AWS_REGION, the keys of AWS and, for another server than
 * AWS', AWS_ENDPOINT_URL_S3 in the environment.
 */
export const namedLogs: Logs = {
  noun: "log",
  // A difference has a `log` of its own.
  member: "where",
  example: { log: "seats-log", key: "seat:7", op: "book" },
  open: (names) => Promise.all([...new Set(names)].map(openNamed)),
};

async function openNamed(where: string): Promise<Log> {
  return { name: where, where, store: await openStore(where) };
}

async function openStore(where: string): Promise<RepairableStore> {
  const location = bucketOf(where);
  if (location === undefined) return openFileStore({ folder: where });
  return (await loadS3()).openS3Store(location);
}

/** Makes a folder or a prefix a log store, unless it is one. */
export async function createNamed(where: string): Promise<void> {
  const location = bucketOf(where);
  await (location === undefined ? createFileStore(where) : (await loadS3()).createS3Store(location));
}

/** @throws ToolError where the address or the environment does not say enough */
function bucketOf(where: string): S3.S3StoreOptions | undefined {
  if (!where.startsWith("s3:")) return undefined;
  const [, bucket, path] = S3_URL.exec(where) ?? [];
  if (bucket === undefined || !path) throw new ToolError(`${where} is not of the form s3://BUCKET/PREFIX`);
  const { AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const region = AWS_REGION || AWS_DEFAULT_REGION;
  if (!region) throw new ToolError(`${where}: AWS_REGION is not set`);
  const endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
  return { bucket, prefix: path.replace(/\/*$/, "/"), region, ...(endpoint ? { endpoint } : {}) };
}

/** Loaded only where it is needed: it needs a package that not everybody has. */
async function loadS3(): Promise<typeof S3> {
  try {
    return await import("../stores/s3/index.ts");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new ToolError("a log in S3 needs the package aws4fetch: npm install aws4fetch", { cause });
  }
}
