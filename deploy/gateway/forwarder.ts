/** Hands requests on to a base URL that may change, and be nowhere for a while; for docker-compose.yml's gateway. */
import { type IncomingMessage, request, type RequestListener, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";

/** Beyond the gateway's own limit of 29 s: who has not answered by then never will. */
const PATIENCE_MS = 35_000;
const UNKNOWN = "the outcome is not known; an Idempotency-Key makes it safe to send the request again";
/** Headers that belong to one connection and not to the message. */
const OF_CONNECTION = new Set(["connection", "keep-alive", "host", "proxy-connection", "te", "trailer", "upgrade"]);

/** @param base `http://localstack:4566/restapis/…`, or undefined while there is nothing to hand requests to */
export function forwarder(base: () => URL | undefined): RequestListener {
  return (incoming, outgoing) => {
    const url = base();
    if (url === undefined) refuse(outgoing, 503, "service_unavailable", "the shop is being deployed");
    else forward(incoming, outgoing, url);
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, { hostname, port, host, pathname }: URL): void {
  const passed = request(
    {
      hostname,
      port,
      agent: false, // a connection that is kept may be closed at the other end, unnoticed
      method: incoming.method,
      path: pathname + (incoming.url ?? "/"),
      headers: ["Host", host, ...passedOn(incoming.rawHeaders), ...lengthOf(incoming)],
    },
    (answer) => {
      if (outgoing.destroyed) return;
      outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer.rawHeaders));
      // Where the answer breaks off, so must what is handed on: it must not look whole.
      pipeline(answer, outgoing, () => undefined);
    },
  );
  let sent = false;
  passed.once("socket", (socket) => socket.once("connect", () => (sent = true)));
  passed.setTimeout(PATIENCE_MS, () => passed.destroy(new Error("no answer")));
  passed.once("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else if (sent) refuse(outgoing, 504, "outcome_unknown", UNKNOWN);
    else refuse(outgoing, 503, "service_unavailable", "the emulator cannot be reached");
  });
  passed.on("error", () => undefined); // what comes after the first says nothing new
  // A client that hangs up waits for nothing any more.
  outgoing.once("close", () => passed.destroy());
  incoming.pipe(passed);
}

/** As they came: names in their case, repeated ones repeated. */
function passedOn(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !OF_CONNECTION.has((rawHeaders[index - (index % 2)] ?? "").toLowerCase()));
}

/** Without it Node would send a body in chunks where there was none. */
function lengthOf({ headers, method }: IncomingMessage): string[] {
  const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  return hasBody || method === "GET" || method === "HEAD" ? [] : ["Content-Length", "0"];
}

function refuse(outgoing: ServerResponse, status: number, code: string, message: string): void {
  if (outgoing.destroyed) return;
  const headers = { "content-type": "application/json", ...(status === 503 ? { "retry-after": "1" } : {}) };
  outgoing.writeHead(status, headers).end(JSON.stringify({ error: { code, message } }));
}
