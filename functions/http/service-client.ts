import http from "node:http";
import https from "node:https";
import { AmbiguousError, UnavailableError } from "../errors.ts";
import { gatewayUrl } from "../service/configuration.ts";
import { signingSecret } from "../service/secret.ts";
import { sign, SIGNATURE_HEADER } from "./signature.ts";

export interface ServiceRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. A request with a body is signed. */
  readonly body?: unknown;
  /** Milliseconds for the whole call. */
  readonly timeout: number;
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

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 256 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 256 }),
};

/** Through the gateway, over connections that are kept. */
export const httpClient: ServiceClient = async (request) => {
  try {
    return await send(request);
  } catch (error) {
    // A kept connection may have been closed by the other side just now: once more on another one.
    if (error instanceof StaleConnectionError) return send(request);
    throw error;
  }
};

/** A connection from the pool broke before any answer came. */
class StaleConnectionError extends AmbiguousError {}

async function send({ method, path, body, timeout }: ServiceRequest): Promise<ServiceResponse> {
  const url = new URL(gatewayUrl() + path);
  const payload = body === undefined ? "" : JSON.stringify(body);
  const headers: http.OutgoingHttpHeaders = { "content-length": Buffer.byteLength(payload) };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    headers[SIGNATURE_HEADER] = sign({ method, path, body: payload }, await signingSecret(Date.now()), Date.now());
  }
  const secure = url.protocol === "https:";
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(url, { method, headers, agent: agents[secure ? "https:" : "http:"] });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
      response.on("error", (cause) => reject(new AmbiguousError(`${method} ${path}: ${cause.message}`, { cause })));
    });
    request.on("error", (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const message = `${method} ${path}: ${cause.message}`;
      if (cause.code === "ECONNREFUSED" || cause.code === "ENOTFOUND") reject(new UnavailableError("service_unavailable", message, { cause }));
      else if (cause.code === "ECONNRESET" && request.reusedSocket) reject(new StaleConnectionError(message, { cause }));
      else reject(new AmbiguousError(message, { cause }));
    });
    request.end(payload);
  });
}
