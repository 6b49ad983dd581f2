import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceName } from "./services.ts";
import { choiceOf, positiveOf, textOrDefault } from "./settings.ts";

/** Where the log of one service is. */
export interface LogLocation {
  /** A folder of the service's own, used where there is no bucket. */
  readonly logFolder: string;
  /** A prefix of the service's own in S3. */
  readonly logBucket:
    | { readonly bucket: string; readonly prefix: string; readonly region: string; readonly endpoint?: string }
    | undefined;
  /** The identity that the store must have; undefined if that is not known. */
  readonly logStoreId: string | undefined;
  /** What survives a power failure in the folder; a bucket is always durable. */
  readonly durability: "always" | "os";
}

export interface StateConfiguration extends LogLocation {
  readonly redisUrl: string;
  readonly commit: "watch" | "script";
}

/** The settings of one service's state. @throws Error naming the variable that is missing or wrong */
export function stateConfiguration(service: ServiceName, env: NodeJS.ProcessEnv = process.env): StateConfiguration {
  return {
    redisUrl: setting(env, `REDIS_URL_${service.toUpperCase()}`, `run/redis-${service}.url`),
    commit: choiceOf(env, "COMMIT_MODE") as StateConfiguration["commit"],
    ...logLocation(service, env),
  };
}

/** @throws Error naming the variable that is missing or wrong */
export function logLocation(service: ServiceName, env: NodeJS.ProcessEnv = process.env): LogLocation {
  return {
    logFolder: join(dataFolder(env), "log", service),
    logBucket: logBucket(service, env),
    logStoreId: env[`LOG_STORE_${service.toUpperCase()}`] || undefined,
    durability: choiceOf(env, "DURABILITY") as LogLocation["durability"],
  };
}

function logBucket(service: ServiceName, env: NodeJS.ProcessEnv): LogLocation["logBucket"] {
  const name = `LOG_BUCKET_${service.toUpperCase()}`;
  const bucket = env[name];
  if (!bucket) return undefined;
  const region = env["AWS_REGION"];
  if (!region) throw new Error(`${name} is set, and AWS_REGION is not`);
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"];
  return { bucket, prefix: `${service}/`, region, ...(endpoint ? { endpoint } : {}) };
}

/**
 * Whether the process is stopped once it has answered, as Lambda's are: it is where the process is one function's. Lambda and both
 * emulators tell each process its function's name; `serverless invoke local` does, too, and ends the process after the answer. A host
 * has all functions in one process, which so has no such name, and goes on. AWS_EXECUTION_ENV is no such sign, because MiniStack has
 * none and other services of AWS have one, nor is LAMBDA_TASK_ROOT, which the images of Lambda have wherever they run.
 */
export function stopsAfterAnswer(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env["AWS_LAMBDA_FUNCTION_NAME"]);
}

/** Rows that a batch may make at most: what fits into the time that the gateway in front allows. */
export function largestBatch(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "BATCH_LIMIT");
}

/** Milliseconds after its start from which others may take a checkout over. */
export function sagaTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "SAGA_TIMEOUT_MS");
}

/** How the services carry a checkout through: by calls of each other, or by events in queues. */
export function sagaMode(env: NodeJS.ProcessEnv = process.env): "sync" | "events" {
  return choiceOf(env, "SAGA") === "events" ? "events" : "sync";
}

/** The same as `sagaTimeout` for a checkout by events: an outage shorter than this delays a checkout, and aborts none. */
export function eventSagaTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "EVENT_SAGA_TIMEOUT_MS");
}

/** Milliseconds without progress after which a saga's events are sent again. */
export function resendAfter(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "RESEND_MS");
}

/** A service's queue, and where the API of SQS is that has it. */
export interface QueueAddress {
  readonly url: string;
  readonly endpoint: string;
  readonly region: string;
}

/** @throws Error naming the variable that is missing */
export function queueAddress(service: ServiceName, env: NodeJS.ProcessEnv = process.env): QueueAddress {
  const region = queueRegion(env);
  const url = env[`QUEUE_URL_${service.toUpperCase()}`];
  if (url) return { url, endpoint: env["SQS_ENDPOINT"] || new URL(url).origin, region };
  const endpoint = setting(env, "SQS_ENDPOINT", "run/queues.url").replace(/\/$/, "");
  return { url: `${endpoint}/${LOCAL_ACCOUNT}/${queueName(service)}`, endpoint, region };
}

/** The region of the queues. A server on this machine does not care about it. */
export function queueRegion(env: NodeJS.ProcessEnv = process.env): string {
  return env["AWS_REGION"] || "us-east-1";
}

/** The account that queues belong to where there is none. */
const LOCAL_ACCOUNT = "000000000000";

/** The name of a service's queue, where the host makes it. */
export const queueName = (service: ServiceName): string => `shop-${service}`;
/** The queue that takes what cannot be handled. @param queue whose letters they are: its name, or its address */
export const deadLettersOf = (queue: string): string => `${queue}-dead`;

/** Milliseconds for one call to another service. */
export function stepTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "STEP_TIMEOUT_MS");
}

/** Milliseconds that settled sagas, markers and idempotency records are kept. */
export function retention(env: NodeJS.ProcessEnv = process.env): number {
  return positiveOf(env, "RETENTION_MS");
}

/** When a service's log is compacted: bytes of the log, and milliseconds since its first commit. */
export function compactThresholds(env: NodeJS.ProcessEnv = process.env): {
  readonly bytes: number;
  readonly age: number;
} {
  return {
    bytes: positiveOf(env, "COMPACT_BYTES"),
    age: positiveOf(env, "COMPACT_AGE_MS"),
  };
}

/** The base URL by which the services reach each other, without a slash at its end. Of the shop that runs, where it is not set. */
export function gatewayUrl(env: NodeJS.ProcessEnv = process.env): string {
  return setting(env, "GATEWAY_URL", "run/gateway.url").replace(/\/+$/, "");
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

/** Where everything of a shop is that is on this machine. */
export function dataFolder(env: NodeJS.ProcessEnv = process.env): string {
  return textOrDefault(env, "DATA_DIR");
}
