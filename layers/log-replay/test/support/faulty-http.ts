import { once } from "node:events";
import http, { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What becomes of a request instead of being passed on and answered. */
export type Fault =
  /** The connection breaks, and the server never sees the request. */
  | { readonly lose: "request" }
  /** The server does it, and the connection breaks before the answer. */
  | { readonly lose: "answer" }
  /** Answered by the proxy; the server never sees it. */
  | { readonly status: number; readonly body?: string }
  /** Milliseconds before it is passed on, also where the client has gone away by then. */
  | { readonly delay: number }
  /** Passed on once this has come about. */
  | { readonly after: Promise<unknown> };

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

/** An HTTP proxy before a real server. `faults` says what goes wrong; it may be replaced at any time. */
export class FaultyHttp {
  faults: (seen: Seen) => Fault | undefined = () => undefined;
  readonly seen: Seen[] = [];
  /** Most requests that were under way at the same time. */
  mostAtOnce = 0;
  readonly url: string;
  readonly #server: Server;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #target: number;
  #atOnce = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  /** @param target the port of the server */
  static async start(target: number): Promise<FaultyHttp> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultyHttp(server, target);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { method: request.method ?? "", path: request.url ?? "" };
    this.seen.push(seen);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      const body = await bodyOf(request);
      const fault = this.faults(seen);
      if (fault && "status" in fault) return void response.writeHead(fault.status).end(fault.body);
      if (fault && "lose" in fault && fault.lose === "request") return void request.socket.destroy();
      if (fault && "delay" in fault) await sleep(fault.delay, undefined, { ref: false });
      if (fault && "after" in fault) await fault.after;
      const answer = await this.#pass(request, body);
      if (fault && "lose" in fault) return void request.socket.destroy();
      response.writeHead(answer.status, answer.headers).end(answer.body);
    } catch {
      request.socket.destroy();
    } finally {
      this.#atOnce--;
    }
  }

  async #pass(
    { method, url, headers }: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
    const request = http
      .request({ host: "127.0.0.1", port: this.#target, method, path: url, headers, agent: this.#agent })
      .end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await bodyOf(response) };
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
