import { AmbiguousError, Refusal, UnavailableError, type RefusalCode } from "../errors.ts";
import type { ServiceClient, ServiceRequest, ServiceResponse } from "../http/service-client.ts";

/** What the order service asks of the others. */
export interface Services {
  /** The item's price. @throws Refusal unknown_item; UnavailableError */
  priceOf(item: string, timeout: number): Promise<number>;
  /**
   * Executes or compensates a step.
   * @throws Refusal where the step is refused for good; UnavailableError where it was not done; AmbiguousError where it may have been
   */
  step(path: string, body: object, timeout: number): Promise<void>;
}

/** The other services behind a client. */
export function servicesBehind(client: ServiceClient): Services {
  return {
    priceOf: async (item, timeout) => {
      const request: ServiceRequest = { method: "GET", path: `/stock/find/${item}`, timeout };
      // Whatever goes wrong with a read: it has changed nothing.
      const response = await client(request).catch((error: unknown) => {
        throw new UnavailableError("service_unavailable", "the stock service does not answer", { cause: error });
      });
      if (response.status === 200) return (JSON.parse(response.body) as { price: number }).price;
      throw response.status === 400 ? refusalIn(response) : unavailable(request, response);
    },
    step: async (path, body, timeout) => {
      const request: ServiceRequest = { method: "POST", path, body, timeout };
      const response = await client(request);
      if (response.status === 200) return;
      if (response.status === 400) throw refusalIn(response);
      // 503 says that nothing was changed; 403 and 404 come from before the step.
      if ([403, 404, 429, 503].includes(response.status)) throw unavailable(request, response);
      throw new AmbiguousError(`${path} answered ${response.status}`);
    },
  };
}

function refusalIn({ body }: ServiceResponse): Refusal {
  const { error } = JSON.parse(body) as { error: { code: RefusalCode; message: string } };
  return new Refusal(error.code, error.message);
}

function unavailable({ path }: ServiceRequest, { status }: ServiceResponse): UnavailableError {
  return new UnavailableError("service_unavailable", `${path} answered ${status}`);
}
