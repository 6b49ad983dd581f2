import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { answerError } from "./answer.ts";
import { PREFIX, type Console } from "./console.ts";

/** A server of the console's own. @param port 0 for any @throws Error where it cannot be had */
export async function listen(made: Console, host: string, port: number): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const { url = "/" } = request;
    if (url === "/") response.writeHead(307, { location: `${PREFIX}/`, "content-length": 0 }).end();
    else if (!isConsole(url)) answerError(response, 404, "not_found", `the console is at ${PREFIX}/`);
    else void made.handle(request, response, request.socket.remoteAddress ?? "");
  });
  server.listen(port, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

function isConsole(url: string): boolean {
  return url.startsWith(PREFIX) && /^(\/|\?|$)/.test(url.slice(PREFIX.length));
}
