import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerError } from "./answer.ts";
import { PREFIX, type Console } from "./console.ts";

export interface Listening {
  readonly port: number;
  /** Ends the server for all who watch, whatever is under way. */
  readonly close: () => void;
}

/** A server of the console's own. @param port 0 for any @throws Error where it cannot be had */
export async function listen(made: Console, host: string, port: number): Promise<Listening> {
  const server = createServer((request, response) => {
    const { url = "/" } = request;
    if (url === "/") response.writeHead(307, { location: `${PREFIX}/`, "content-length": 0 }).end();
    else if (!isConsole(url)) answerError(response, 404, "not_found", `the console is at ${PREFIX}/`);
    else void made.handle(request, response, request.socket.remoteAddress ?? "");
  });
  server.listen(port, host);
  await once(server, "listening");
  const close = (): void => {
    made.close();
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

function isConsole(url: string): boolean {
  return url.startsWith(PREFIX) && /^(\/|\?|$)/.test(url.slice(PREFIX.length));
}
