import http from "node:http";
import https from "node:https";
import { AmbiguousError, UnavailableError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { gatewayUrl } from "../settings/configuration.ts";
import {
  outgoingRequest,
  type OutgoingRequest,
  type ServiceClient,
  type ServiceRequest,
  type ServiceResponse,
} from "./service-client.ts";

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 256 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 256 }),
};

/** Goes through the gateway, over connections that are kept. */
export const httpClient: ServiceClient = async (request) => {
  const travelling = await outgoingRequest(request);
  try {
    return await send(request, travelling);
  } catch (error) {
    // The other side may have closed a kept connection just now: it is tried once more on another one.
    if (error instanceof StaleConnectionError) return send(request, travelling);
    throw error;
  }
};

/** A connection from the pool broke before any answer came. */
class StaleConnectionError extends AmbiguousError {}

async function send(request: ServiceRequest, travelling: OutgoingRequest): Promise<ServiceResponse> {
  try {
    await failPoint("call.before");
    const response = await exchange(request, travelling);
    await failPoint("call.after");
    return response;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ECONNRESET") throw cause;
    throw new AmbiguousError(`${request.method} ${request.path}: ${(cause as Error).message}`, { cause });
  }
}

function exchange(
  { method, path, timeout }: ServiceRequest,
  { headers, body }: OutgoingRequest,
): Promise<ServiceResponse> {
  const url = new URL(gatewayUrl() + path);
  const payload = body ?? "";
  const options: http.RequestOptions = {
    method,
    headers: { ...headers, "content-length": Buffer.byteLength(payload) },
  };
  const secure = url.protocol === "https:";
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(url, { ...options, agent: agents[secure ? "https:" : "http:"] });
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
      if (cause.code === "ECONNREFUSED" || cause.code === "ENOTFOUND")
        reject(new UnavailableError("service_unavailable", message, { cause }));
      else if (cause.code === "ECONNRESET" && request.reusedSocket)
        reject(new StaleConnectionError(message, { cause }));
      else reject(new AmbiguousError(message, { cause }));
    });
    request.end(payload);
  });
}
