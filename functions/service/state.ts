import { LoggedRedis, openFileStore, processWide } from "log-replay";
import { log } from "../request-log.ts";
import { stateConfiguration, type ServiceName } from "./configuration.ts";

/** A service: its name, and the prefixes of the keys that it has to find without knowing them. */
export interface Service {
  readonly name: ServiceName;
  readonly indexes: readonly string[];
}

/** The service's state: one for the process, however many functions are in it. */
export function openState({ name, indexes }: Service): Promise<LoggedRedis> {
  return processWide(`shop:${name}`, async () => {
    const { redisUrl, logFolder, logStoreId, durability, commit } = stateConfiguration(name);
    const store = await openFileStore({ folder: logFolder, durability, ...(logStoreId === undefined ? {} : { expectedId: logStoreId }) });
    return new LoggedRedis({
      url: redisUrl,
      store,
      indexes,
      commit,
      onEvent: ({ event, ...fields }) => log("info", event, { service: name, ...fields }),
    });
  });
}
