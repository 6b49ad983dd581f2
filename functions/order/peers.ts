import { AmbiguousError, Refusal, UnavailableError, type RefusalCode } from "../errors.ts";
import { stepAnswer } from "../handler/steps.ts";
import type { ServiceClient, ServiceRequest, ServiceResponse } from "../calls/service-client.ts";

/** What the order service asks of the others. */
export interface Peers {
  /** The item's price. @throws Refusal unknown_item; UnavailableError */
  priceOf(item: string, timeout: number, trace?: string): Promise<number>;
  /**
   * Executes or compensates a step.
   * @param trace W3C traceparent; empty for none
   * @throws Refusal where the step is refused for good; UnavailableError where it was not done; AmbiguousError where it may have been
   */
  step(path: string, body: object, timeout: number, trace?: string): Promise<void>;
}

/** The other services behind a client. */
export function peersBehind(client: ServiceClient): Peers {
  return {
    priceOf: async (item, timeout, trace = "") => {
      const request: ServiceRequest = { method: "GET", path: `/stock/find/${item}`, timeout, trace };
      // Whatever goes wrong with a read, it has changed nothing.
      const response = await client(request).catch((error: unknown) => {
        throw new UnavailableError("service_unavailable", "the stock service does not answer", { cause: error });
      });
      const price = response.status === 200 ? priceIn(response) : null;
      if (price !== null) return price;
      throw (response.status === 400 && refusalIn(response)) || unavailable(request, response);
    },
    step: async (path, body, timeout, trace = "") => {
      const request: ServiceRequest = { method: "POST", path, body, timeout, trace };
      const response = await client(request);
      // A 200 that is not the service's own does not say whether the step was done.
      if (response.status === 200 && response.body === DONE.body) return;
      const refusal = response.status === 400 ? refusalIn(response) : null;
      if (refusal !== null && !TOO_LATE.has(refusal.code)) throw refusal;
      // 503 says that nothing was changed; 403 and 404 come from before the step.
      if ([403, 404, 429, 503].includes(response.status)) throw unavailable(request, response);
      throw new AmbiguousError(`${path} answered ${response.status} ${refusal?.code ?? ""}`.trimEnd());
    },
  };
}

/**
 * Refusals of steps that come too late. An earlier delivery of the same step may have been executed, so they say
 * nothing about its effect.
 */
const TOO_LATE: ReadonlySet<RefusalCode> = new Set(["saga_expired", "step_compensated"]);

/** What a step is answered with. */
const DONE = stepAnswer(undefined);

/** Null where the answer is not the service's own but of something in its place. */
function priceIn({ body }: ServiceResponse): number | null {
  try {
    const { price } = JSON.parse(body) as { readonly price: unknown };
    return Number.isSafeInteger(price) && Number(price) >= 0 ? Number(price) : null;
  } catch {
    return null;
  }
}

/** Null where a 400 is not the service's own but of something on the way there. */
function refusalIn({ body }: ServiceResponse): Refusal | null {
  try {
    const { code, message } = (JSON.parse(body) as { error: { code: unknown; message: unknown } }).error;
    return typeof code === "string" && typeof message === "string" ? new Refusal(code as RefusalCode, message) : null;
  } catch {
    return null;
  }
}

function unavailable({ path }: ServiceRequest, { status }: ServiceResponse): UnavailableError {
  return new UnavailableError("service_unavailable", `${path} answered ${status}`);
}
