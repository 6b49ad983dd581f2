/**
 * In docker-compose.yml: deploys the shop into LocalStack and then serves its routes on port 8000, without the gateway's id
 * and stage in their paths. It is healthy once that is done.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { deployLocally, emulatorEnvironment } from "./stage-local.ts";

const ENDPOINT = process.env["SHOP_ENDPOINT"] || "http://localstack:4566";
const PORT = 8000;

process.on("SIGTERM", () => process.exit(0));
const { url } = await deployLocally(ENDPOINT, emulatorEnvironment(ENDPOINT));
createServer(forward).listen(PORT, () => process.stdout.write(`ready: ${url}\n`));

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { host: _, ...headers } = incoming.headers;
  const passed = request(url + (incoming.url ?? "/"), { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, outgoing, () => undefined);
  });
  passed.on("error", () => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end();
  });
  pipeline(incoming, passed, () => undefined);
}
