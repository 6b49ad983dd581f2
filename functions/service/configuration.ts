import { readFileSync } from "node:fs";
import { join } from "node:path";

export type ServiceName = "order" | "stock" | "payment";

export interface Configuration {
  readonly redisUrl: string;
  readonly logFolder: string;
  readonly logStoreId: string | undefined;
  readonly durability: "always" | "os";
}

/** The settings of one service's state. @throws Error naming the variable that is missing or wrong */
export function stateConfiguration(service: ServiceName, env: NodeJS.ProcessEnv = process.env): Configuration {
  const name = service.toUpperCase();
  const durability = env["DURABILITY"] || "always";
  if (durability !== "always" && durability !== "os") throw new Error(`DURABILITY is "${durability}", must be "always" or "os"`);
  return {
    redisUrl: setting(env, `REDIS_URL_${name}`, join("run", `redis-${service}.url`)),
    logFolder: join(dataFolder(env), "log", service),
    logStoreId: env[`LOG_STORE_${name}`] || undefined,
    durability,
  };
}

/** Milliseconds after its start from which others may take a checkout over. */
export function sagaTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return milliseconds(env, "SAGA_TIMEOUT_MS", 5_000);
}

/** Milliseconds for one call to another service. */
export function stepTimeout(env: NodeJS.ProcessEnv = process.env): number {
  return milliseconds(env, "STEP_TIMEOUT_MS", 2_000);
}

/** Milliseconds that settled sagas, markers and idempotency records are kept. */
export function retention(env: NodeJS.ProcessEnv = process.env): number {
  return milliseconds(env, "RETENTION_MS", 24 * 60 * 60 * 1_000);
}

/** When a service's log is compacted: bytes of the log, and milliseconds since its first commit. */
export function compactThresholds(env: NodeJS.ProcessEnv = process.env): { readonly bytes: number; readonly age: number } {
  return { bytes: wholeNumber(env, "COMPACT_BYTES", 64 * 1024 * 1024, "bytes"), age: milliseconds(env, "COMPACT_AGE_MS", 24 * 60 * 60 * 1_000) };
}

/** The base URL by which the services reach each other. */
export function gatewayUrl(env: NodeJS.ProcessEnv = process.env): string {
  return env["GATEWAY_URL"] || "http://127.0.0.1:8000";
}

/** The key that the services sign their calls to each other with. */
export function internalSecret(env: NodeJS.ProcessEnv = process.env): string {
  return setting(env, "INTERNAL_SECRET", join("secrets", "internal-secret"));
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

function milliseconds(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  return wholeNumber(env, name, otherwise, "milliseconds");
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, otherwise: number, unit: string): number {
  const text = env[name];
  if (!text) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} is "${text}", must be a whole number of ${unit}`);
  return value;
}
