import { strictTraceparent, TRACEPARENT } from "../observe/trace-context.ts";
import { signingSecret } from "../settings/secret.ts";
import { sign, SIGNATURE_HEADER, type SignOptions } from "./signature.ts";

export interface ServiceRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON, and signed. */
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
export interface OutgoingRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The body becomes text before anything is awaited, so that what its owner does with it later changes nothing. */
export async function outgoingRequest(
  { method, path, body, trace }: ServiceRequest,
  options?: SignOptions,
): Promise<OutgoingRequest> {
  // Of a saga that is open for long, its record may be older than the rule for what is kept.
  const traceparent = strictTraceparent(trace);
  const traced = traceparent ? { [TRACEPARENT]: traceparent } : {};
  if (body === undefined && !isSignedRead(options)) return { headers: traced, body: null };
  const text = body === undefined ? "" : JSON.stringify(body);
  const signature = sign({ method, path, body: text }, await signingSecret(Date.now()), Date.now(), options);
  const headers = { [SIGNATURE_HEADER]: signature, ...traced };
  return body === undefined
    ? { headers, body: null }
    : { headers: { "content-type": "application/json", ...headers }, body: text };
}

/**
 * A read needs no signature. A host of this project knows by it that the call belongs to a request which has a place already, and does
 * not let it wait behind others for one. A gateway of AWS does not ask, and who only reads may not know the secret there.
 */
function isSignedRead({ verifiedHere = false }: SignOptions = {}): boolean {
  return !verifiedHere && !process.env["INTERNAL_SECRET_ARN"];
}
