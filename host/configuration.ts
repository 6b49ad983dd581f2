/** What `npm start` and `npm run serve` read from the environment, validated. */
import { resolve } from "node:path";
import { SERVICES, type ServiceName as Service } from "../functions/settings/services.ts";
import { StartError } from "./start-error.ts";

export { SERVICES, type Service };

export interface Configuration {
  httpPort: number;
  /** Of serverless-offline's Lambda endpoint, on loopback as well. */
  lambdaPort: number;
  /** Absolute. */
  dataDir: string;
  /** Only a further function host on the Redis servers and logs of a shop that runs already. */
  hostsOnly: boolean;
  /** The servers that are used and not started. */
  givenRedis: Partial<Record<Service, string>>;
  /** Passed on to the functions, all of them strings that have been checked. */
  functionSettings: Record<string, string>;
  /** The same for the HTTP server of `npm run serve`. */
  serveSettings: Record<string, string>;
}

const DERIVED_PORT_DISTANCE = 10_000;
const HIGHEST_PORT = 65_535;

/** @throws StartError naming the variable, what it says and what it may say */
export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  const httpPort = integer(environment, "HTTP_PORT", 8000, 1, HIGHEST_PORT);
  const givenRedis: Partial<Record<Service, string>> = {};
  for (const service of SERVICES) {
    const name = `REDIS_URL_${service.toUpperCase()}`;
    const url = environment[name];
    if (!url) continue;
    if (!/^rediss?:\/\/./.test(url) || !URL.canParse(url))
      throw new StartError(`${name} is not an address like redis://:password@127.0.0.1:6379`);
    givenRedis[service] = url;
  }
  return {
    httpPort,
    lambdaPort: integer(environment, "LAMBDA_PORT", besides(httpPort), 1, HIGHEST_PORT),
    dataDir: resolve(environment.DATA_DIR || ".data"),
    hostsOnly: oneOf(environment, "HOSTS_ONLY", "0", ["0", "1"]) === "1",
    givenRedis,
    functionSettings: {
      DURABILITY: oneOf(environment, "DURABILITY", "always", ["always", "os"]),
      COMMIT_MODE: oneOf(environment, "COMMIT_MODE", "watch", ["watch", "script"]),
      SAGA_TIMEOUT_MS: String(integer(environment, "SAGA_TIMEOUT_MS", 5_000, 1, 3_600_000)),
      STEP_TIMEOUT_MS: String(integer(environment, "STEP_TIMEOUT_MS", 2_000, 1, 3_600_000)),
      RETENTION_MS: String(integer(environment, "RETENTION_MS", 86_400_000, 1, Number.MAX_SAFE_INTEGER)),
      // Who names a gateway wants the calls between the services to go through it.
      DISPATCH: oneOf(environment, "DISPATCH", environment.GATEWAY_URL ? "http" : "direct", ["direct", "http"]),
      COMPACT_BYTES: String(integer(environment, "COMPACT_BYTES", 67_108_864, 1, Number.MAX_SAFE_INTEGER)),
      COMPACT_AGE_MS: String(integer(environment, "COMPACT_AGE_MS", 86_400_000, 1, Number.MAX_SAFE_INTEGER)),
      LOG_LEVEL: oneOf(environment, "LOG_LEVEL", "info", ["silent", "error", "warn", "info", "debug"]),
    },
    serveSettings: {
      HTTP_HOST: environment.HTTP_HOST || "127.0.0.1",
      MAX_CONCURRENCY: String(integer(environment, "MAX_CONCURRENCY", 512, 1, 1_000_000)),
      MAX_QUEUE: String(integer(environment, "MAX_QUEUE", 4_096, 0, 1_000_000)),
      QUEUE_TIMEOUT_MS: String(integer(environment, "QUEUE_TIMEOUT_MS", 5_000, 1, 3_600_000)),
    },
  };
}

/** The port that is taken besides one, where none is named: the Lambda endpoint of the emulator. */
export function besides(port: number): number {
  return port + DERIVED_PORT_DISTANCE <= HIGHEST_PORT ? port + DERIVED_PORT_DISTANCE : port - DERIVED_PORT_DISTANCE;
}

function integer(
  environment: NodeJS.ProcessEnv,
  name: string,
  fallback: number,
  lowest: number,
  highest: number,
): number {
  const text = environment[name];
  if (text === undefined || text === "") return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw new StartError(`${name}=${text} is not an integer from ${lowest} to ${highest}`);
}

function oneOf(environment: NodeJS.ProcessEnv, name: string, fallback: string, allowed: readonly string[]): string {
  const text = environment[name];
  if (text === undefined || text === "") return fallback;
  if (allowed.includes(text)) return text;
  throw new StartError(`${name}=${text} is not one of ${allowed.join(", ")}`);
}
