/** What a host serves besides the shop's routes, for those who watch it. Loaded when it is first asked for. */
import type { IncomingMessage, ServerResponse } from "node:http";

export interface MountOptions {
  /** Of this host, from this machine. */
  readonly hostUrl: string;
  /** Runs the function that settles open checkouts. */
  readonly resume: () => Promise<unknown>;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** @returns answers a request where it is one for the console; false where it is not */
export function mount(options: MountOptions): (request: IncomingMessage, response: ServerResponse) => boolean {
  let console: Promise<Handle> | undefined;
  const load = async (): Promise<Handle> => {
    const { ConsoleProcess } = await import("./console-process.ts");
    const made = new ConsoleProcess(options);
    return (request, response) => void made.handle(request, response);
  };
  return (request, response) => {
    const url = request.url ?? "/";
    // The first letters, before anything is made of them: every request of the shop comes by here.
    if (!url.startsWith("/console") || !/^\/console(\/|\?|$)/.test(url)) return false;
    console ??= load();
    void console.then((handle) => handle(request, response));
    return true;
  };
}
