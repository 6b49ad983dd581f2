/** Where the logs and the Redis servers of a shop are. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ToolError, type Log, type Logs } from "log-replay/cli";
import type { Law } from "log-replay/tools";
import { services } from "../functions/services.ts";
import { dataFolder, logLocation } from "../functions/settings/configuration.ts";
import { SERVICES, type ServiceName } from "../functions/settings/services.ts";
import { openLogStore } from "../functions/state/log-store.ts";
import type { Service } from "../functions/state/open-state.ts";
import { LAWS, type Law as ShopLaw, type ShopRecord } from "./laws.ts";
import { CHOOSERS } from "./records.ts";

/** One service's log, and what belongs to it. */
export interface OpenLog extends Log {
  readonly service: ServiceName;
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
          `there is no ${logFolder}: DATA_DIR names the shop's data folder, and it is ${resolve(dataFolder())} now`,
        );
      const where = logBucket === undefined ? logFolder : `s3://${logBucket.bucket}/${logBucket.prefix}`;
      const logStoreId = location.logStoreId ?? (logBucket === undefined ? identities()[name] : undefined);
      const store = await openLogStore({ ...location, logStoreId });
      const redis = redisOf(name);
      return {
        service: name,
        name,
        where,
        store,
        indexes,
        law: lawOf(name),
        ...redis,
      };
    }),
  );
}

/** The shop's logs, for the commands that know no shop. */
export const shopLogs: Logs<OpenLog> = {
  noun: "service",
  all: SERVICES,
  choosers: CHOOSERS,
  example: { log: "stock", key: "item:7", op: "reserve" },
  open: openLogs,
};

/** The laws of the shop, for records as the log has them. */
export function lawOf(service: ServiceName): Law {
  return (record, before) => LAWS[service](record as unknown as ShopRecord, before as Parameters<ShopLaw>[1]);
}

/** @throws ToolError where a variable is missing or wrong */
function locationOf(service: ServiceName): ReturnType<typeof logLocation> {
  try {
    return logLocation(service);
  } catch (error) {
    throw new ToolError((error as Error).message, { cause: error });
  }
}

/** The service's Redis, where one is configured or was started by `npm start`. */
function redisOf(service: ServiceName): Pick<Log, "redis" | "redisFrom"> {
  const setting = `REDIS_URL_${service.toUpperCase()}`;
  const configured = process.env[setting];
  if (configured) return { redis: configured, redisFrom: setting };
  const file = join(dataFolder(), "run", `redis-${service}.url`);
  return existsSync(file) ? { redis: readFileSync(file, "utf8").trim(), redisFrom: file } : {};
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
