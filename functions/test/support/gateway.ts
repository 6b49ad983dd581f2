import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIGatewayProxyResult } from "aws-lambda";
import { proxyEvent, lambdaContext } from "./invocation.ts";
import { handlerOf, match } from "./routes.ts";

/** What the caller gets: an answer, or none because the connection breaks, or none at all. */
export type Sent = APIGatewayProxyResult | "break" | "hang";

/** Stands between a request and its handler: may execute it any number of times, and answers what it likes. */
export type Fault = (execute: () => Promise<APIGatewayProxyResult>) => Promise<Sent>;

/** Holds requests back until it is opened: they have arrived, but are not executed yet. */
export interface Gate {
  readonly fault: Fault;
  /** Resolves once a request has arrived. */
  readonly reached: Promise<void>;
  readonly open: () => void;
}

/** A request between the services that came through. */
export interface Delivery {
  readonly path: string;
  readonly body: string;
}

/**
 * The gateway between the services: routes real HTTP requests to the real handlers, and lets a test put a fault in the
 * way of a route.
 */
export class Gateway {
  /** Every step of a saga is delivered twice, one after the other; the caller gets the second answer. */
  repeatSteps = false;
  /** The requests that came, in order. */
  readonly deliveries: Delivery[] = [];
  readonly #server: Server;
  readonly #faults = new Map<string, Fault[]>();
  readonly #always = new Map<string, Fault>();
  #gates: Gate[] = [];
  /** Executions that go on although nobody waits for their answer any more. */
  readonly #loose = new Set<Promise<unknown>>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(): Promise<Gateway> {
    const server = createServer();
    const gateway = new Gateway(server);
    server.on("request", (request, response) => {
      const served = gateway.#serve(request, response).catch(() => response.destroy());
      gateway.#loose.add(served);
      void served.finally(() => gateway.#loose.delete(served));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next `times` requests to `path` meet the fault. */
  next(path: string, fault: Fault, times = 1): void {
    const queue = this.#faults.get(path) ?? [];
    for (let i = 0; i < times; i++) queue.push(fault);
    this.#faults.set(path, queue);
  }

  /** Every request to `path` meets the fault, until `heal`. */
  always(path: string, fault: Fault): void {
    this.#always.set(path, fault);
  }

  /** A fault that holds requests back; opened by `heal` at the latest. */
  gate(): Gate {
    const [arrived, opened] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const gate: Gate = {
      reached: arrived.promise,
      open: () => opened.resolve(undefined),
      fault: async (execute) => {
        arrived.resolve(undefined);
        await opened.promise;
        return execute();
      },
    };
    this.#gates.push(gate);
    return gate;
  }

  /** No fault is left, and no gate closed. */
  heal(): void {
    for (const { open } of this.#gates) open();
    this.#gates = [];
    this.#faults.clear();
    this.#always.clear();
  }

  /** How often `path` was asked for. */
  count(path: string): number {
    return this.deliveries.filter((delivery) => delivery.path === path).length;
  }

  /** Waits until nothing is being executed any more, answered or not. */
  async quiet(): Promise<void> {
    while (this.#loose.size > 0) await Promise.all(this.#loose);
  }

  async close(): Promise<void> {
    await this.quiet();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    const path = request.url ?? "";
    const found = match(request.method ?? "", path);
    if (found === null) return void response.writeHead(404).end();

    if (request.method === "POST") this.deliveries.push({ path, body });
    const handler = await handlerOf(found.route);
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const event = proxyEvent({
      method: request.method ?? "",
      path,
      resource: found.route.resource,
      pathParameters: found.pathParameters,
      headers,
      body: body || null,
    });
    const invoke = () => handler(event, lambdaContext(found.route.module));
    const execute = this.repeatSteps && request.method === "POST" ? () => invoke().then(invoke) : invoke;

    const fault = this.#faults.get(path)?.shift() ?? this.#always.get(path);
    const sent = fault ? await fault(execute) : await execute();
    if (sent === "hang") return;
    if (sent === "break") return void response.destroy();
    response.writeHead(sent.statusCode, sent.headers as Record<string, string>).end(sent.body);
  }
}
