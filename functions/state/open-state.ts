import { LoggedRedis } from "log-replay";
import { processWide } from "log-replay/process-wide";
import { traces } from "../observe/traces.ts";
import { log } from "../request-log.ts";
import { stateConfiguration } from "../settings/configuration.ts";
import type { ServiceName } from "../settings/services.ts";
import { openLogStore } from "./log-store.ts";

/** A service: its name, and the prefixes of the keys that it has to find without knowing them. */
export interface Service {
  readonly name: ServiceName;
  readonly indexes: readonly string[];
}

/**
 * Milliseconds that a request waits for a restore before it is answered 503: its caller has better things to do than
 * wait.
 */
export const RESTORE_PATIENCE = 900;

/** The service's state: one for the process, however many functions are in it. */
export function openState({ name, indexes }: Service): Promise<LoggedRedis> {
  return processWide(`shop:${name}`, async () => {
    const { redisUrl, commit, ...location } = stateConfiguration(name);
    await observed();
    return new LoggedRedis({
      name,
      url: redisUrl,
      store: await openLogStore(location),
      indexes,
      restorePatience: RESTORE_PATIENCE,
      commit,
      onEvent: ({ event, ...fields }) => log("info", event, { service: name, ...fields }),
    });
  });
}

/** Starts whoever listens to what the functions tell, where the environment asks for it. Otherwise nothing of it is loaded. */
function observed(): Promise<void> {
  return processWide("shop:observed", async () => {
    const namespace = process.env["METRICS_NAMESPACE"];
    if (namespace) (await import("../observe/embedded.ts")).embedMetrics(namespace);
    if (process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]) await traces();
  });
}
