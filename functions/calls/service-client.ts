import { signingSecret } from "../settings/secret.ts";
import { sign, SIGNATURE_HEADER, type SignOptions } from "./signature.ts";

export interface ServiceRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. A request with a body is signed. */
  readonly body?: unknown;
  /** Milliseconds for the whole call. */
  readonly timeout: number;
  /** W3C traceparent; empty for none. */
  readonly trace?: string;
}

export interface ServiceResponse {
  readonly status: number;
  readonly body: string;
}

/**
 * The way from one service to another. Every request that goes this way can be repeated: it only reads, or it is a step
 * of a saga with its marker.
 *
 * @throws UnavailableError where the other service was not reached, so that nothing was changed; AmbiguousError where it
 *   may have been
 */
export type ServiceClient = (request: ServiceRequest) => Promise<ServiceResponse>;

/** What is sent, whichever way it goes: the body as text, null where there is none, and its signature. */
export interface Outgoing {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The body becomes text before anything is awaited, so that what its owner does with it later changes nothing. */
export async function outgoing(
  { method, path, body, trace }: ServiceRequest,
  options?: SignOptions,
): Promise<Outgoing> {
  const traced = trace ? { traceparent: trace } : {};
  if (body === undefined) return { headers: traced, body: null };
  const text = JSON.stringify(body);
  const signature = sign({ method, path, body: text }, await signingSecret(Date.now()), Date.now(), options);
  return { headers: { "content-type": "application/json", [SIGNATURE_HEADER]: signature, ...traced }, body: text };
}
