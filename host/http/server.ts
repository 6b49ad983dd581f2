/** The functions behind Node's own HTTP server, under `npm start` and `npm run serve` alike. */
import { once } from "node:events";
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { APIGatewayProxyResult } from "aws-lambda";
import { SIGNATURE_HEADER } from "../../functions/calls/signature.ts";
import { toResult } from "../../functions/http/answer.ts";
import { corsHeaders, preflightHeaders } from "../../functions/http/cors.ts";
import type { Functions, Target } from "../gateway/functions.ts";
import { gatewayAnswer, UNKNOWN_PATH, type GatewayCode } from "../gateway/gateway-answers.ts";
import { Admission, OverloadedError, type AdmissionOptions } from "./admission.ts";
import { bodyOf, isTooLarge, LARGEST_BODY, TOO_LARGE } from "./body.ts";
import { answered, endReading, LAST, spoilt, turnBehind, UNDER_WAY, type Connection } from "./connection.ts";
import { requestTarget, routePath } from "./request-target.ts";

export interface ServerOptions {
  /** Answers what is for those who watch the host; false where a request is for the shop. */
  readonly mounted?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly functions: Functions;
  /** Limits for clients' requests, and the same once more for the services' calls to each other. */
  readonly admission: AdmissionOptions;
  /** What each service says of itself: null where it can serve, else why not. */
  readonly probe: () => Promise<Readonly<Record<string, string | null>>>;
  /** Whether a request is one of the services' own, by its signature. */
  readonly isOwn: (request: {
    readonly method: string;
    readonly path: string;
    readonly body: string;
    readonly signature: string;
  }) => boolean;
  /** Whether the services call each other through this server. */
  readonly callsItself: boolean;
}

/** Bytes: a request with more is refused with 431. */
export const LARGEST_HEADERS = 16 * 1024;

/** Milliseconds: a client that is slower than this is given up. */
const HEADERS_WITHIN = 10_000;
const REQUEST_WITHIN = 30_000;
/** Longer than a load balancer keeps a connection (60 s): it is never the one that finds it closed. */
const KEEP_ALIVE = 65_000;
/** Who has sent what cannot be read comes to reading that for so long. */
const LINGER = 1_000;
/** Connections that wait to be accepted. */
const BACKLOG = 2_048;

const STOPPING = "the host is stopping";

const CLIENT_ERRORS: Readonly<Record<string, readonly [GatewayCode, message: string]>> = {
  HPE_HEADER_OVERFLOW: ["headers_too_large", `the headers have at most ${LARGEST_HEADERS} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "the request did not come whole in time"],
};
const NO_REQUEST: (typeof CLIENT_ERRORS)[string] = ["bad_request", "this is no request that could be understood"];

export class FunctionServer {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #clients: Admission;
  /** Their calls belong to requests that have a place already: they must not wait behind others who wait for one. */
  readonly #services: Admission;
  /** Requests that wait behind others on their connections. */
  #behind = 0;
  /** Requests that were taken and are not answered: clients', and the services' calls. */
  #begun = 0;
  #draining = false;
  /** Called when no client waits for an answer any more, while the host stops. */
  #whenAnswered: (() => void) | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#clients = new Admission(options.admission);
    this.#services = new Admission(options.admission);
    const server = createServer({
      maxHeaderSize: LARGEST_HEADERS,
      headersTimeout: HEADERS_WITHIN,
      requestTimeout: REQUEST_WITHIN,
      keepAliveTimeout: KEEP_ALIVE,
      requireHostHeader: false, // refused below, with a body that says so
    });
    // A client that has said all and closed its side still gets its answer.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on("request", (request, response) => this.#take(request, response));
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      if (!isTooLarge(request)) response.writeContinue();
      this.#take(request, response);
    });
    server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) =>
      this.#refuse(response, "expectation_failed", "nothing but 100-continue can be expected"),
    );
    server.on(
      "clientError",
      ({ code = "" }: NodeJS.ErrnoException, socket: Connection) => void refuseRaw(socket, code),
    );
    server.on("connect", (_request: IncomingMessage, socket: Duplex) => void refuseRaw(socket, ""));
    this.#server = server;
  }

  /** @param port 0 for any @returns the port @throws Error where it cannot be had */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen({ port, host, backlog: BACKLOG });
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Takes nothing new from clients, answers what is under way, then closes every connection. Where the services call each other
   * through this server, it listens till then: what is under way may need their calls.
   * @param patience milliseconds; what is not answered by then breaks off
   */
  async drain(patience: number): Promise<void> {
    this.#draining = true;
    const late = sleep(patience, undefined, { ref: false });
    if (this.#options.callsItself && this.#clientsBegun > 0)
      await Promise.race([new Promise<void>((resolve) => (this.#whenAnswered = resolve)), late]);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await Promise.race([closed, late]);
    this.#server.closeAllConnections();
  }

  /** Requests that share a connection are worked on in turn, so that a read sees the write before it. */
  #take(request: IncomingMessage, response: ServerResponse): void {
    const socket: Connection = request.socket;
    const before = socket[UNDER_WAY];
    socket[LAST] = { request, before };
    const served = before === undefined ? this.#serve(request, response) : this.#serveBehind(before, request, response);
    socket[UNDER_WAY] = served;
    void served.then(() => {
      if (socket[UNDER_WAY] === served) socket[UNDER_WAY] = undefined;
    });
  }

  async #serveBehind(before: Promise<void>, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#behind++;
    await turnBehind(before, request.socket);
    this.#behind--;
    await this.#serve(request, response);
  }

  get figures(): { readonly active: number; readonly queued: number } {
    return {
      active: this.#clients.active + this.#services.active,
      queued: this.#clients.queued + this.#services.queued + this.#behind,
    };
  }

  /** A call whose body is still being read counts as a client's request. */
  get #clientsBegun(): number {
    return this.#begun - this.#services.active - this.#services.queued;
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let begun = false;
    try {
      if (request.headers.host === undefined && request.httpVersionMinor > 0)
        return this.#refuse(response, "bad_request", "a request of HTTP/1.1 names its Host");
      if (this.#options.mounted?.(request, response) === true) return await answered(response, request.socket);
      const target = requestTarget(request.url ?? "/");
      if (target === null) return this.#refuse(response, "bad_request", "the request's target is no path");
      if (target.path === "/ready") return await this.#ready(response);
      const isLate = this.#draining;
      if (isLate && !this.#mayBeCall(request)) return this.#refuse(response, "overloaded", STOPPING);
      this.#begun++;
      begun = true;
      // A body that is refused is read first: who is still sending it would not see the answer.
      const body = isTooLarge(request) && request.headers.expect !== undefined ? TOO_LARGE : await bodyOf(request);
      if (body === TOO_LARGE)
        return this.#refuse(response, "body_too_large", `a body has at most ${LARGEST_BODY} bytes`, {
          connection: "close",
        });
      const method = request.method ?? "";
      const found = this.#options.functions.match(method, routePath(target.path));
      if (found === null) return this.#unrouted(request, response, target.path);
      this.#write(response, await this.#run(found, request, target, body, isLate));
    } catch (error) {
      if (error instanceof OverloadedError) this.#refuse(response, "overloaded", error.message);
      else response.destroy(); // The client has broken off: there is nobody to answer.
    } finally {
      if (begun) {
        this.#begun--;
        if (this.#draining && this.#clientsBegun === 0) this.#whenAnswered?.();
      }
    }
  }

  #mayBeCall({ headers }: IncomingMessage): boolean {
    return this.#options.callsItself && headers[SIGNATURE_HEADER] !== undefined;
  }

  #run(
    found: Target,
    request: IncomingMessage,
    { path, query }: { readonly path: string; readonly query: string },
    body: string | null,
    isLate: boolean,
  ): Promise<APIGatewayProxyResult> {
    const { functions, isOwn } = this.#options;
    const { method = "", rawHeaders, socket } = request;
    const run = (): Promise<APIGatewayProxyResult> =>
      functions.run(found, {
        method,
        path,
        query,
        rawHeaders,
        body,
        isBase64Encoded: false,
        sourceIp: socket.remoteAddress ?? "",
      });
    // Monitors are told how it is also where everybody else has to wait.
    if (found.isHealth && !isLate) return run();
    const signature = request.headers[SIGNATURE_HEADER];
    const own = typeof signature === "string" && isOwn({ method, path, body: body ?? "", signature });
    if (isLate && !own) throw new OverloadedError(STOPPING);
    return (own ? this.#services : this.#clients).run(run, socket);
  }

  /** No function has it: a preflight of a page that may call one, or nothing that is here. */
  #unrouted(request: IncomingMessage, response: ServerResponse, path: string): void {
    const wanted = request.headers["access-control-request-method"];
    const allowed =
      request.method === "OPTIONS" &&
      wanted !== undefined &&
      this.#options.functions.match(wanted, routePath(path)) !== null
        ? preflightHeaders(request.headers.origin)
        : null;
    this.#write(response, allowed === null ? UNKNOWN_PATH : { statusCode: 200, headers: allowed, body: "" });
  }

  async #ready(response: ServerResponse): Promise<void> {
    const services = await this.#options.probe();
    const ready = !this.#draining && Object.values(services).every((problem) => problem === null);
    const state = {
      ready,
      draining: this.#draining,
      services,
      ...this.figures,
    };
    this.#write(response, {
      statusCode: ready ? 200 : 503,
      headers: { "content-type": "application/json", ...(ready ? {} : { "retry-after": "1" }) },
      body: JSON.stringify(state),
    });
  }

  #refuse(
    response: ServerResponse,
    code: GatewayCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    const result = toResult(gatewayAnswer(code, message));
    this.#write(response, { ...result, headers: { ...result.headers, ...headers } });
  }

  #write(
    response: ServerResponse,
    { statusCode, headers, multiValueHeaders, body, isBase64Encoded }: APIGatewayProxyResult,
  ): void {
    const content = isBase64Encoded ? Buffer.from(body, "base64") : body;
    const sent: Record<string, string | number | string[]> = { "content-length": Buffer.byteLength(content) };
    for (const [name, value] of Object.entries({
      ...corsHeaders(response.req.headers.origin),
      ...headers,
      ...multiValueHeaders,
    })) {
      const text = Array.isArray(value) ? value.map(String) : String(value);
      sent[name] = text === "application/json" ? "application/json; charset=utf-8" : text;
    }
    if (this.#draining) sent["connection"] = "close";
    response.writeHead(statusCode, sent);
    response.end(content);
  }
}

/** Where no request could be made of what came: an answer in the usual form all the same, behind those that are under way. */
async function refuseRaw(socket: Connection, code: string): Promise<void> {
  const isHeldUp = endReading(socket);
  const { isBody, before } = spoilt(socket);
  await before;
  if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const { status, type, body } = gatewayAnswer(...(CLIENT_ERRORS[code] ?? NO_REQUEST));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${type}; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    // Its client's end would never be read, or a request would wait for its body as long as the client stays.
    () => (isHeldUp || isBody) && setTimeout(() => socket.destroy(), LINGER).unref(),
  );
}
