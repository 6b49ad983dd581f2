import { AmbiguousError } from "../errors.ts";
import { offeredDispatch } from "./dispatch.ts";
import { httpClient } from "./http-client.ts";
import { outgoing, type ServiceClient, type ServiceResponse } from "./service-client.ts";

/**
 * Without HTTP, to the handler itself where it is in this process; else through the gateway. Both ways the handler sees
 * the same event, and the caller the same answers and errors.
 */
export const directClient: ServiceClient = async (request) => {
  const { method, path, timeout } = request;
  const { headers, body } = await outgoing(request);
  const answer = offeredDispatch()?.({ method, path, headers, body });
  if (!answer) return httpClient(request);
  // Nobody can take back what was handed over: from here on only its answer tells what came of it.
  return new Promise<ServiceResponse>((resolve, reject) => {
    const unknown = (what: string, cause?: unknown): void => reject(new AmbiguousError(`${method} ${path}: ${what}`, { cause }));
    const timer = setTimeout(() => unknown(`no answer within ${timeout} ms`), timeout);
    answer.then(
      ({ statusCode, body }) => {
        clearTimeout(timer);
        resolve({ status: statusCode, body });
      },
      (error: unknown) => {
        clearTimeout(timer);
        unknown("the function failed", error);
      },
    );
  });
};
