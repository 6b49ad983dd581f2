import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceName } from "./services.ts";

/** Where the log of one service is. */
export interface LogPlace {
  /** A folder of the service's own, used where there is no bucket. */
  readonly logFolder: string;
  /** A prefix of the service's own in S3. */
  readonly logBucket:
    | { readonly bucket: string; readonly prefix: string; readonly region: string; readonly endpoint?: string }
    | undefined;
  /** The identity that the store must have; undefined if that is not known. */
  readonly logStoreId: string | undefined;
  /** Of the folder; a bucket is always durable. */
  readonly durability: "always" | "os";
}

export interface Configuration extends LogPlace {
  readonly redisUrl: string;
  readonly commit: "watch" | "script";
}

/** The settings of one service's state. @throws Error naming the variable that is missing or wrong */
export function stateConfiguration(service: ServiceName, env: NodeJS.ProcessEnv = process.env): Configuration {
  return {
    redisUrl: setting(env, `REDIS_URL_${service.toUpperCase()}`, `run/redis-${service}.url`),
    commit: oneOf(env, "COMMIT_MODE", ["watch", "script"]),
    ...logPlace(service, env),
  };
}

/** @throws Error naming the variable that is missing or wrong */
export function logPlace(service: ServiceName, env: NodeJS.ProcessEnv = process.env): LogPlace {
  return {
    logFolder: join(dataFolder(env), "log", service),
    logBucket: logBucket(service, env),
    logStoreId: env[`LOG_STORE_${service.toUpperCase()}`] || undefined,
    durability: oneOf(env, "DURABILITY", ["always", "os"]),
  };
}

function logBucket(service: ServiceName, env: NodeJS.ProcessEnv): LogPlace["logBucket"] {
  const name = `LOG_BUCKET_${service.toUpperCase()}`;
  const bucket = env[name];
  if (!bucket) return undefined;
  const region = env["AWS_REGION"];
  if (!region) throw new Error(`${name} is set, and AWS_REGION is not`);
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"];
  return { bucket, prefix: `${service}/`, region, ...(endpoint ? { endpoint } : {}) };
}

/** Rows that a batch may make at most: what fits into the time that the gateway in front allows. */
export function largestBatch(env: NodeJS.ProcessEnv = process.env): number {
  return wholeNumber(env, "BATCH_LIMIT", 1_000_000, "rows");
}

/** Milliseconds after its start from which others may take a checkout over. */
export function sagaTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return wholeNumber(env, "SAGA_TIMEOUT_MS", 5_000, "milliseconds");
}

/** Milliseconds for one call to another service. */
export function stepTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return wholeNumber(env, "STEP_TIMEOUT_MS", 2_000, "milliseconds");
}

/** Milliseconds that settled sagas, markers and idempotency records are kept. */
export function retention(env: NodeJS.ProcessEnv = process.env): number {
  return wholeNumber(env, "RETENTION_MS", 24 * 60 * 60 * 1_000, "milliseconds");
}

/** When a service's log is compacted: bytes of the log, and milliseconds since its first commit. */
export function compactThresholds(env: NodeJS.ProcessEnv = process.env): {
  readonly bytes: number;
  readonly age: number;
} {
  return {
    bytes: wholeNumber(env, "COMPACT_BYTES", 64 * 1024 * 1024, "bytes"),
    age: wholeNumber(env, "COMPACT_AGE_MS", 24 * 60 * 60 * 1_000, "milliseconds"),
  };
}

/** The base URL by which the services reach each other. */
export function gatewayUrl(env: NodeJS.ProcessEnv = process.env): string {
  return env["GATEWAY_URL"] || "http://127.0.0.1:8000";
}

/** The key that the services sign their calls to each other with. */
export function internalSecret(env: NodeJS.ProcessEnv = process.env): string {
  return setting(env, "INTERNAL_SECRET", "secrets/internal-secret");
}

/** From the environment, else from the file that the local host leaves in the data folder while it runs. */
function setting(env: NodeJS.ProcessEnv, name: string, file: string): string {
  const value = env[name];
  if (value) return value;
  const path = join(dataFolder(env), file);
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new Error(`${name} is not set, and there is no ${path}: is the shop running?`, { cause });
  }
}

function dataFolder(env: NodeJS.ProcessEnv): string {
  return env["DATA_DIR"] || ".data";
}

/** The first is the default. */
function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, values: readonly [T, ...T[]]): T {
  const text = env[name] || values[0];
  const value = values.find((candidate) => candidate === text);
  if (value === undefined)
    throw new Error(`${name} is "${text}", must be ${values.map((candidate) => `"${candidate}"`).join(" or ")}`);
  return value;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, otherwise: number, unit: string): number {
  const text = env[name];
  if (!text) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${name} is "${text}", must be a whole number of ${unit}`);
  return value;
}
