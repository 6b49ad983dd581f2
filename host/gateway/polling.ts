import type { ServiceDescription } from "./description.ts";
import type { Functions } from "./functions.ts";

/**
 * Polls the queues that functions have. Only where there are some is what polls them loaded.
 * @returns stops that; resolves when what was taken is handled
 */
export async function startPolling(
  functions: Functions,
  description: ServiceDescription,
): Promise<() => Promise<void>> {
  if (description.functions.every(({ queues = [] }) => queues.length === 0)) return async () => undefined;
  const { pollQueues } = await import("./queue-poller.ts");
  return pollQueues(description.functions, (name, event) => functions.invoke(name, event));
}
