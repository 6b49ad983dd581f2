import { AmbiguousError } from "../errors.ts";
import { offeredDispatch } from "./dispatch.ts";
import { httpClient } from "./http-client.ts";
import { outgoingRequest, type ServiceClient, type ServiceResponse } from "./service-client.ts";
import { within } from "./within.ts";

/**
 * Calls the handler itself, without HTTP, where it is in this process; otherwise goes through the gateway. Either way
 * the handler sees the same event, and the caller the same answers and errors.
 */
export const directClient: ServiceClient = async (request) => {
  const { method, path, timeout } = request;
  const dispatch = offeredDispatch();
  const { headers, body } = await outgoingRequest(request, { verifiedHere: dispatch !== null });
  const answer = dispatch?.({ method, path, headers, body });
  if (!answer) return httpClient(request);
  // What was handed over cannot be taken back: from here on only its answer tells what came of it.
  const unknown = (what: string, cause?: unknown): AmbiguousError =>
    new AmbiguousError(`${method} ${path}: ${what}`, { cause });
  const answered = answer.then(
    (result): ServiceResponse => ({ status: result.statusCode, body: result.body }),
    (error: unknown) => {
      throw unknown("the function failed", error);
    },
  );
  return within(answered, timeout, () => {
    throw unknown(`no answer within ${timeout} ms`);
  });
};
