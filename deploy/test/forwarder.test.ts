/** The gateway of docker-compose.yml, between real sockets: what goes through, and what it answers itself. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "@jest/globals";
import { forwarder } from "../gateway/forwarder.ts";

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

async function listening(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** @returns the gateway's port */
async function gatewayTo(listener: RequestListener): Promise<number> {
  const base = new URL(`http://127.0.0.1:${await listening(listener)}/restapis/abc/local/_user_request_`);
  return listening(forwarder(() => base));
}

async function asked(
  port: number,
  path: string,
  options: object = {},
): Promise<{ answer: IncomingMessage; body: string }> {
  const asking = request({ host: "127.0.0.1", port, path, method: "POST", agent: false, ...options }).end();
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  return { answer, body: await text(answer) };
}

/** A client that sends a request and hangs up. */
async function hungUp(port: number, after: Promise<unknown>): Promise<void> {
  const client: Socket = connect(port, "127.0.0.1");
  client.on("error", () => undefined);
  await once(client, "connect");
  client.write("POST /stock/add/1/1 HTTP/1.1\r\nhost: x\r\n\r\n");
  await after;
  client.destroy();
}

test("a request goes through as it came, and its answer comes back", async () => {
  const seen: IncomingMessage[] = [];
  const port = await gatewayTo((incoming, outgoing) => {
    seen.push(incoming);
    outgoing.writeHead(422, ["X-One", "1", "X-One", "2"]).end("no");
  });
  const headers = ["Host", "shop", "Idempotency-Key", "a", "Idempotency-Key", "b"];
  const { answer, body } = await asked(port, "/stock/add/%2E%2E/../1?x=%zz", { headers });
  expect([answer.statusCode, body]).toEqual([422, "no"]);
  expect(answer.headersDistinct["x-one"]).toEqual(["1", "2"]);
  const [incoming] = seen;
  // Nothing is taken for another path, nor two keys for one.
  expect(incoming?.url).toBe("/restapis/abc/local/_user_request_/stock/add/%2E%2E/../1?x=%zz");
  expect(incoming?.headersDistinct["idempotency-key"]).toEqual(["a", "b"]);
});

test("a request without a body is handed on without one", async () => {
  const port = await gatewayTo((incoming, outgoing) => outgoing.end(String(incoming.headers["transfer-encoding"])));
  const client = connect(port, "127.0.0.1");
  client.write("POST /stock/add/1/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  expect(await text(client)).toMatch(/undefined/);
});

test("clients that hang up while they wait for an answer end nothing but their own request", async () => {
  let aborted = 0;
  const waiting = new Set<() => void>();
  const port = await gatewayTo((incoming, outgoing) => {
    incoming.once("close", () => aborted++);
    waiting.forEach((told) => told());
    if (incoming.url?.endsWith("/find/1") === true) outgoing.end("here");
  });
  for (let client = 0; client < 11; client++) await hungUp(port, new Promise<void>((told) => waiting.add(told)));
  expect((await asked(port, "/stock/find/1")).body).toBe("here");
  // Nobody works for who has left.
  while (aborted < 11) await new Promise(setImmediate);
});

test("a client that hangs up in the moment of its answer does not end the gateway", async () => {
  const port = await gatewayTo((_, outgoing) => setTimeout(() => outgoing.end("late"), 5));
  for (let client = 0; client < 40; client++) await hungUp(port, new Promise((done) => setTimeout(done, client % 10)));
  expect((await asked(port, "/stock/find/1")).body).toBe("late");
});

test("an answer that breaks off breaks off here too: it is never taken for a whole one", async () => {
  const port = await gatewayTo((_, outgoing) => {
    outgoing.writeHead(200);
    outgoing.write("half of ");
    setTimeout(() => outgoing.destroy(), 20);
  });
  await expect(asked(port, "/stock/find/1")).rejects.toThrow("aborted");
});

test("no answer is an unknown outcome, an emulator that is not there is safe to ask again, and so is a shop that is being deployed", async () => {
  const dead = await gatewayTo((incoming) => incoming.socket.destroy());
  const lost = await asked(dead, "/stock/add/1/1");
  expect([lost.answer.statusCode, JSON.parse(lost.body)]).toMatchObject([504, { error: { code: "outcome_unknown" } }]);

  const nowhere = await listening(forwarder(() => new URL("http://127.0.0.1:1/")));
  const early = await listening(forwarder(() => undefined));
  for (const port of [nowhere, early]) {
    const { answer, body } = await asked(port, "/stock/add/1/1");
    expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([503, "1"]);
    expect(JSON.parse(body)).toMatchObject({ error: { code: "service_unavailable" } });
  }
});
