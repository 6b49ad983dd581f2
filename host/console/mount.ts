/** What a host serves besides the shop's routes, for those who watch it. Loaded when it is first asked for. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostFigures } from "../observe/exposition.ts";
import { observe } from "../observe/observe.ts";

export interface MountOptions {
  /** The URL by which this machine reaches this host. */
  readonly hostUrl: string;
  /** Runs the function that settles open checkouts. */
  readonly resume: () => Promise<unknown>;
  readonly figures: () => HostFigures;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** @returns answers a request where it is for the console or for the metrics; false where it is for the shop */
export function mount(options: MountOptions): (request: IncomingMessage, response: ServerResponse) => boolean {
  let console: Promise<Handle> | undefined;
  let metrics: Promise<Handle> | undefined;
  return (request, response) => {
    const url = request.url ?? "/";
    // By its first letters: every request of the shop comes by here.
    if (url.startsWith("/console") && /^\/console(\/|\?|$)/.test(url)) {
      void answerBy((console ??= loadConsole(options)), request, response);
      return true;
    }
    if (url.startsWith("/metrics") && /^\/metrics(\?|$)/.test(url) && request.method === "GET") {
      void answerBy((metrics ??= loadMetrics(options)), request, response);
      return true;
    }
    return false;
  };
}

async function loadConsole(options: MountOptions): Promise<Handle> {
  const { ConsoleProcess } = await import("./console-process.ts");
  const made = new ConsoleProcess(options);
  return (request, response) => made.handle(request, response);
}

async function loadMetrics({ figures }: MountOptions): Promise<Handle> {
  const { Exposition } = await import("../observe/exposition.ts");
  const exposition = new Exposition((await observe()).measures, figures);
  return async (_request, response) => {
    const text = await exposition.text();
    response.writeHead(200, { "content-type": exposition.contentType, "content-length": Buffer.byteLength(text) });
    response.end(text);
  };
}

/** Never rejects. */
async function answerBy(handle: Promise<Handle>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await (
      await handle
    )(request, response);
  } catch (error) {
    if (response.headersSent) return void response.destroy();
    const message = error instanceof Error ? error.message : String(error);
    response.writeHead(500, { "content-type": "application/json; charset=utf-8" });
    response.end(JSON.stringify({ error: { code: "internal_error", message } }));
  }
}
