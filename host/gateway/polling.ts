import type { ServiceDescription } from "./description.ts";
import type { Functions } from "./functions.ts";

/**
 * Polls the queues that functions have. The poller is loaded only where there are some.
 * @returns a function that stops it, and resolves once every message that was taken is handled
 */
export async function startPolling(
  functions: Functions,
  description: ServiceDescription,
): Promise<() => Promise<void>> {
  if (description.functions.every(({ queues = [] }) => queues.length === 0)) return async () => undefined;
  const { pollQueues } = await import("./queue-poller.ts");
  return pollQueues(description.functions, (name, event) => functions.invoke(name, event));
}
