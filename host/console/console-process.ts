/** The console's process, started at the first request for it and again after it has ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { FromHost, ToHost } from "../../console/main.ts";

/** Milliseconds that it has to come up. */
const PATIENCE = 20_000;

interface Address {
  readonly port: number;
  readonly secret: string;
}

export interface ConsoleProcessOptions {
  /** The URL of this host, for its metrics. */
  readonly hostUrl: string;
  /** Resumes open sagas. @returns what came of it */
  readonly resume: () => Promise<unknown>;
}

export class ConsoleProcess {
  readonly #options: ConsoleProcessOptions;
  #address: Promise<Address> | undefined;

  constructor(options: ConsoleProcessOptions) {
    this.#options = options;
  }

  /** Hands a request on. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#address ??= this.#start();
      const { port, secret } = await this.#address;
      const headers = {
        ...request.headers,
        "x-console-secret": secret,
        "x-console-address": request.socket.remoteAddress ?? "",
      };
      const passed = httpRequest({ host: "127.0.0.1", port, method: request.method, path: request.url, headers });
      passed.once("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
        answer.once("error", () => response.destroy());
      });
      passed.once("error", () => {
        if (response.headersSent) response.destroy();
        else unavailable(response);
      });
      // A viewer who leaves ends the stream of events.
      response.once("close", () => passed.destroy());
      request.pipe(passed);
    } catch {
      unavailable(response);
    }
  }

  #start(): Promise<Address> {
    const child = spawn(process.execPath, [join(import.meta.dirname, "..", "..", "console", "main.ts")], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, CONSOLE_HOST_URL: this.#options.hostUrl },
    });
    child.once("exit", () => (this.#address = undefined));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`the console did not start within ${PATIENCE} ms`));
      }, PATIENCE);
      const gone = (): void => {
        clearTimeout(timer);
        reject(new Error("the console has ended"));
      };
      child.once("exit", gone).once("error", gone);
      child.on("message", (message: ToHost) => {
        if ("resume" in message) return void this.#resume(child, message.resume);
        clearTimeout(timer);
        resolve(message);
      });
      // It must not keep the host from ending.
      child.unref();
      child.channel?.unref();
    });
  }

  /** Never rejects. */
  async #resume(child: ChildProcess, id: number): Promise<void> {
    const said = await this.#options.resume().then(
      (result) => JSON.stringify(result),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const answer: FromHost = { resumed: id, said };
    if (child.connected) child.send(answer, () => undefined);
  }
}

function unavailable(response: ServerResponse): void {
  const body = JSON.stringify({ error: { code: "service_unavailable", message: "the console does not answer" } });
  response.writeHead(503, { "content-type": "application/json; charset=utf-8", "retry-after": "1" }).end(body);
}
