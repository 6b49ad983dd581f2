/** Where the logs and the Redis servers of a shop are. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RepairableStore } from "log-replay";
import { services } from "../functions/services.ts";
import { dataFolder, logLocation } from "../functions/settings/configuration.ts";
import { SERVICES, type ServiceName } from "../functions/settings/services.ts";
import { openLogStore } from "../functions/state/log-store.ts";
import type { Service } from "../functions/state/open-state.ts";
import { ToolError } from "./exit.ts";

/** One service's log, and what belongs to it. */
export interface OpenLog {
  readonly service: ServiceName;
  /** A folder, or `s3://BUCKET/PREFIX`. */
  readonly where: string;
  readonly store: RepairableStore;
  /** Prefixes of the keys that its state can list. */
  readonly indexes: readonly string[];
}

/**
 * Opens the logs of the named services, or of all: in the data folder, or where LOG_BUCKET_… says, as the services do.
 * @throws ToolError; StoreMismatchError where there is another log than the shop was made with
 */
export async function openLogs(names: readonly string[]): Promise<OpenLog[]> {
  const wanted = names.length === 0 ? services : names.map(serviceOf);
  return Promise.all(
    [...new Set(wanted)].map(async ({ name, indexes }) => {
      const location = locationOf(name);
      const { logFolder, logBucket } = location;
      if (logBucket === undefined && !existsSync(logFolder))
        throw new ToolError(
          `there is no ${logFolder}: DATA_DIR names the shop's data folder, and it is ${dataFolder()} now`,
        );
      const where = logBucket === undefined ? logFolder : `s3://${logBucket.bucket}/${logBucket.prefix}`;
      const logStoreId = location.logStoreId ?? (logBucket === undefined ? identities()[name] : undefined);
      return { service: name, where, store: await openLogStore({ ...location, logStoreId }), indexes };
    }),
  );
}

/** @throws ToolError where a variable is missing or wrong */
function locationOf(service: ServiceName): ReturnType<typeof logLocation> {
  try {
    return logLocation(service);
  } catch (error) {
    throw new ToolError((error as Error).message, { cause: error });
  }
}

export async function openLog(name: string): Promise<OpenLog> {
  const [log] = await openLogs([name]);
  return log as OpenLog;
}

/** The service's Redis, where one is configured or was started by `npm start`. */
export function redisUrl(service: ServiceName): string | undefined {
  const configured = process.env[`REDIS_URL_${service.toUpperCase()}`];
  if (configured) return configured;
  const file = join(dataFolder(), "run", `redis-${service}.url`);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

/** @throws ToolError where there is none of this name */
export function serviceOf(name: string): Service {
  const service = services.find((candidate) => candidate.name === name);
  if (service === undefined) throw new ToolError(`there is no service "${name}": ${SERVICES.join(", ")}`);
  return service;
}

/** The file of a data folder that names its logs. */
export const IDENTITIES = "stores.json";

/** Which log belongs to which service, as the first start of the shop has written it down. */
function identities(): Partial<Record<ServiceName, string>> {
  const file = join(dataFolder(), IDENTITIES);
  try {
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<Record<ServiceName, string>>) : {};
  } catch (cause) {
    throw new ToolError(`${file} is not JSON`, { cause });
  }
}
