/** The functions behind Node's own HTTP server. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { APIGatewayProxyResult } from "aws-lambda";
import type { Functions } from "../gateway/functions.ts";
import { Admission, type AdmissionOptions, OverloadedError } from "./admission.ts";

export interface ServerOptions {
  readonly functions: Functions;
  /** For clients' requests; the services' calls to each other have as much again. */
  readonly admission: AdmissionOptions;
  /** What each service says of itself: null if it can serve, otherwise why not. */
  readonly probe: () => Promise<Readonly<Record<string, string | null>>>;
  /** Answers what is for those who watch the host; false where a request is for the shop. */
  readonly mounted?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Bytes. A request with more of either is refused with 431 or 413. */
export const LARGEST_HEADERS = 16 * 1024;
export const LARGEST_BODY = 1024 * 1024;

/** Milliseconds. A client that is slower than this is given up. */
const HEADERS_WITHIN = 10_000;
const REQUEST_WITHIN = 30_000;
/** Longer than a load balancer keeps a connection (60 s), so that the balancer never finds it closed. */
const KEEP_ALIVE = 65_000;
/** Connections that wait to be accepted. */
const BACKLOG = 2_048;
/** Seconds after which a request that was turned away may come again. */
const RETRY_AFTER = "1";
/** Sent with the services' calls to each other, and checked by the function. */
const SIGNATURE = "x-shop-signature";

export class FunctionServer {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #clients: Admission;
  /** Their calls belong to requests that have a place already, so they must not wait behind others who wait for one. */
  readonly #services: Admission;
  #draining = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#clients = new Admission(options.admission);
    this.#services = new Admission(options.admission);
    const limits = {
      maxHeaderSize: LARGEST_HEADERS,
      headersTimeout: HEADERS_WITHIN,
      requestTimeout: REQUEST_WITHIN,
      keepAliveTimeout: KEEP_ALIVE,
    };
    this.#server = createServer(limits, (request, response) => void this.#serve(request, response));
  }

  /** @param port 0 for any @returns the port @throws Error where it cannot be had */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen({ port, host, backlog: BACKLOG });
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Takes nothing new, answers what is under way, then closes every connection.
   * @param patience milliseconds; what is not answered by then breaks off
   */
  async drain(patience: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await Promise.race([closed, sleep(patience, undefined, { ref: false })]);
    this.#server.closeAllConnections();
  }

  get figures(): { readonly active: number; readonly queued: number } {
    return {
      active: this.#clients.active + this.#services.active,
      queued: this.#clients.queued + this.#services.queued,
    };
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (this.#options.mounted?.(request, response) === true) return;
      const url = request.url ?? "/";
      const mark = url.indexOf("?");
      const path = mark < 0 ? url : url.slice(0, mark);
      if (path === "/health") return this.#json(response, 200, this.figures);
      if (path === "/ready") return await this.#ready(response);
      if (this.#draining) return this.#turnAway(response, "the host is stopping");
      const body = hasBody(request) ? await read(request) : null;
      if (body === TOO_LARGE)
        return this.#json(
          response,
          413,
          { message: `a body has at most ${LARGEST_BODY} bytes` },
          { connection: "close" },
        );
      const answer = await this.#answer(request, path, mark < 0 ? "" : url.slice(mark + 1), body);
      if (answer === null) this.#json(response, 404, { message: `no route for ${request.method} ${path}` });
      else this.#write(response, answer);
    } catch (error) {
      if (error instanceof OverloadedError) this.#turnAway(response, error.message);
      else response.destroy(); // The client has broken off: there is nobody to answer.
    }
  }

  #answer(
    request: IncomingMessage,
    path: string,
    query: string,
    body: string | null,
  ): Promise<APIGatewayProxyResult> | null {
    const { functions } = this.#options;
    const { method = "", rawHeaders, socket } = request;
    const target = functions.match(method, path);
    if (target === null) return null;
    const run = (): Promise<APIGatewayProxyResult> =>
      functions.run(target, {
        method,
        path,
        query,
        rawHeaders,
        body,
        isBase64Encoded: false,
        sourceIp: socket.remoteAddress ?? "",
      });
    return (request.headers[SIGNATURE] === undefined ? this.#clients : this.#services).run(run);
  }

  async #ready(response: ServerResponse): Promise<void> {
    const services = await this.#options.probe();
    const ready = !this.#draining && Object.values(services).every((problem) => problem === null);
    this.#json(
      response,
      ready ? 200 : 503,
      { ready, draining: this.#draining, services },
      ready ? {} : { "retry-after": RETRY_AFTER },
    );
  }

  #turnAway(response: ServerResponse, message: string): void {
    this.#json(response, 503, { error: { code: "overloaded", message } }, { "retry-after": RETRY_AFTER });
  }

  #json(response: ServerResponse, statusCode: number, value: unknown, headers: Record<string, string> = {}): void {
    this.#write(response, {
      statusCode,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(value),
    });
  }

  #write(
    response: ServerResponse,
    { statusCode, headers, multiValueHeaders, body, isBase64Encoded }: APIGatewayProxyResult,
  ): void {
    const content = isBase64Encoded ? Buffer.from(body, "base64") : body;
    const sent: Record<string, string | number | string[]> = { "content-length": Buffer.byteLength(content) };
    for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders })) {
      const text = Array.isArray(value) ? value.map(String) : String(value);
      sent[name] = text === "application/json" ? "application/json; charset=utf-8" : text;
    }
    if (this.#draining) sent["connection"] = "close";
    response.writeHead(statusCode, sent);
    response.end(content);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return (
    headers["transfer-encoding"] !== undefined ||
    (headers["content-length"] !== undefined && headers["content-length"] !== "0")
  );
}

const TOO_LARGE = Symbol("a body beyond the limit");

/** The whole body as text. */
async function read(request: IncomingMessage): Promise<string | typeof TOO_LARGE> {
  if (Number(request.headers["content-length"] ?? 0) > LARGEST_BODY) return TOO_LARGE;
  const chunks: Buffer[] = [];
  let length = 0;
  // Left open: there is an answer to write, even if the rest is not read.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > LARGEST_BODY) return TOO_LARGE;
  }
  return Buffer.concat(chunks).toString("utf8");
}
