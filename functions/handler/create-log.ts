import { log } from "../request-log.ts";
import { logLocation } from "../settings/configuration.ts";
import { createLogStore } from "../state/log-store.ts";
import type { Service } from "../state/open-state.ts";

/**
 * The handler that a deployment invokes once. It makes the service's log where it is configured to be; invoked again,
 * it only returns the log's id.
 */
export function creatingLog({ name }: Service) {
  return async (): Promise<{ id: string }> => {
    const { id } = await createLogStore(logLocation(name));
    log("info", "log store", { service: name, id });
    return { id };
  };
}
