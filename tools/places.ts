/** Where the logs and the Redis servers of a shop are. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openFileStore } from "log-replay";
import { services } from "../functions/services.ts";
import { SERVICES, type ServiceName } from "../functions/settings/services.ts";
import type { Service } from "../functions/state/open-state.ts";
import { ToolError } from "./exit.ts";

export type Store = Awaited<ReturnType<typeof openFileStore>>;

/** One service's log, and what belongs to it. */
export interface Place {
  readonly service: ServiceName;
  readonly folder: string;
  readonly store: Store;
  /** Prefixes of the keys that its state can list. */
  readonly indexes: readonly string[];
}

export function dataFolder(): string {
  return process.env["DATA_DIR"] || ".data";
}

/**
 * Opens the logs of the named services, or of all.
 * @throws ToolError; StoreMismatchError where a folder holds another log than the shop was made with
 */
export async function openPlaces(names: readonly string[]): Promise<Place[]> {
  const wanted = names.length === 0 ? services : names.map(serviceOf);
  return Promise.all(
    [...new Set(wanted)].map(async ({ name, indexes }) => {
      const folder = join(dataFolder(), "log", name);
      if (!existsSync(folder))
        throw new ToolError(
          `there is no ${folder}: DATA_DIR names the shop's data folder, and it is ${dataFolder()} now`,
        );
      const expectedId = identities()[name];
      const store = await openFileStore({ folder, ...(expectedId === undefined ? {} : { expectedId }) });
      return { service: name, folder, store, indexes };
    }),
  );
}

export async function openPlace(name: string): Promise<Place> {
  const [place] = await openPlaces([name]);
  return place as Place;
}

/** The service's Redis, where one is configured or was started by `npm start`. */
export function redisUrl(service: ServiceName): string | undefined {
  const configured = process.env[`REDIS_URL_${service.toUpperCase()}`];
  if (configured) return configured;
  const file = join(dataFolder(), "run", `redis-${service}.url`);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

function serviceOf(name: string): Service {
  const service = services.find((candidate) => candidate.name === name);
  if (service === undefined) throw new ToolError(`there is no service "${name}": ${SERVICES.join(", ")}`);
  return service;
}

/** Which log belongs to which service, as the first start of the shop has written it down. */
function identities(): Partial<Record<ServiceName, string>> {
  const file = join(dataFolder(), "stores.json");
  try {
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<Record<ServiceName, string>>) : {};
  } catch (cause) {
    throw new ToolError(`${file} is not JSON`, { cause });
  }
}
