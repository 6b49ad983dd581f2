/** The HTTP server of `npm run serve`, with functions made for the test. */
import { afterEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { APIGatewayProxyEvent } from "aws-lambda";
import { Functions } from "../gateway/functions.ts";
import type { Handler } from "../gateway/local-function.ts";
import type { AdmissionOptions } from "../http/admission.ts";
import { startSchedules } from "../serve/schedules.ts";
import { LARGEST_BODY } from "../http/body.ts";
import { MOST_WAITING } from "../http/connection.ts";
import { FunctionServer, LARGEST_HEADERS, type ServerOptions } from "../http/server.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Serving {
  readonly url: string;
  readonly port: number;
  readonly server: FunctionServer;
}

const ROOMY: AdmissionOptions = { concurrency: 100, queue: 100, patience: 60_000 };

/** POST and GET /run/{x} and POST /inner lead to `handler`. */
async function serve(
  handler: Handler,
  options: {
    readonly admission?: AdmissionOptions;
    readonly probe?: () => Promise<Record<string, string | null>>;
    readonly mounted?: NonNullable<ServerOptions["mounted"]>;
    readonly callsItself?: boolean;
  } = {},
): Promise<Serving> {
  const routes = [
    { method: "POST", resource: "/run/{x}" },
    { method: "GET", resource: "/run/{x}" },
    { method: "POST", resource: "/inner" },
    { method: "GET", resource: "/health" },
  ];
  const functions = new Functions(
    {
      service: "shop",
      stage: "offline",
      environment: {},
      functions: [
        { name: "run", handler: "run.handler", timeout: 60_000, memoryMegabytes: 512, routes, schedules: [] },
      ],
    },
    async () => handler,
  );
  const server = new FunctionServer({
    functions,
    admission: ROOMY,
    probe: async () => ({}),
    callsItself: false,
    isOwn: ({ signature }) => signature === "right",
    ...options,
  });
  const port = await server.listen(0, "127.0.0.1");
  endings.push(() => server.drain(0));
  return { url: `http://127.0.0.1:${port}`, port, server };
}

/** A function that answers when it is told to. */
function gated(): {
  readonly handler: Handler;
  readonly reached: (count: number) => Promise<void>;
  readonly open: () => void;
} {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let begun = 0;
  return {
    open: () => resolve(undefined),
    reached: async (count) => {
      while (begun < count) await sleep(1);
    },
    handler: async () => {
      begun++;
      await promise;
      return { statusCode: 200, body: "done" };
    },
  };
}

const echo: Handler = async (event) => {
  const { body, path, queryStringParameters } = event as APIGatewayProxyEvent;
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ body, path, query: queryStringParameters }),
  };
};

const post = (url: string, init: RequestInit = {}): Promise<Response> => fetch(url, { method: "POST", ...init });

test("a request becomes an event, and the result an answer in UTF-8", async () => {
  const { url } = await serve(echo);
  const response = await post(`${url}/run/1?a=b`, { body: "ä" });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  expect(await response.json()).toEqual({ body: "ä", path: "/run/1", query: { a: "b" } });
});

test("a body that cannot be read is refused behind the answers before it, and its connection ends though its client stays", async () => {
  const { handler, reached, open } = gated();
  const { port, server } = await serve(handler);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  endings.push(() => socket.destroy());
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const chunked = "POST /run/2 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
  socket.write(`POST /run/1 HTTP/1.1\r\nhost: x\r\n\r\n${chunked}zz\r\n`);
  await reached(1);
  open();
  while (!said.includes("HTTP/1.1 400")) await once(socket, "data");
  expect(said.indexOf("HTTP/1.1 200")).toBe(0);
  while (server.figures.active + server.figures.queued > 0) await sleep(1);
  // Nothing is open any more: it ends without patience.
  await server.drain(60_000);
});

test("a POST without a body has none, and the connection is kept for the next one", async () => {
  const { port } = await serve(echo);
  const socket = connect(port, "127.0.0.1");
  endings.push(() => socket.destroy());
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  for (let i = 1; i <= 3; i++) {
    socket.write(`POST /run/${i} HTTP/1.1\r\nhost: x\r\n\r\n`);
    while (said.split("HTTP/1.1 200 OK").length <= i || !said.endsWith("}")) await once(socket, "data");
  }
  expect(said.match(/"body":null/g)).toHaveLength(3);
});

test("chunked bodies are read to their end", async () => {
  const { port } = await serve(echo);
  const request = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/run/1" });
  request.write("one ");
  await sleep(5);
  request.end("two");
  const [response] = (await once(request, "response")) as [AsyncIterable<Buffer>];
  let text = "";
  for await (const chunk of response) text += chunk.toString();
  expect(JSON.parse(text)).toMatchObject({ body: "one two" });
});

test("binary results are sent as bytes, several headers of one name each by itself", async () => {
  const { url } = await serve(async () => ({
    statusCode: 200,
    body: Buffer.from([1, 2, 250]).toString("base64"),
    isBase64Encoded: true,
    multiValueHeaders: { "set-cookie": ["a=1", "b=2"] },
  }));
  const response = await fetch(`${url}/run/1`);
  expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 250]);
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
});

test("a body beyond the limit is 413, by its announced length and by its real one", async () => {
  const { url } = await serve(echo);
  expect((await post(`${url}/run/1`, { body: "x".repeat(LARGEST_BODY) })).status).toBe(200);
  expect((await post(`${url}/run/1`, { body: "x".repeat(LARGEST_BODY + 1) })).status).toBe(413);
  const stream = new Blob(["x".repeat(LARGEST_BODY + 1)]).stream();
  expect((await post(`${url}/run/1`, { body: stream, duplex: "half" })).status).toBe(413);
});

test("headers beyond the limit are 431", async () => {
  const { url } = await serve(echo);
  expect((await post(`${url}/run/1`, { headers: { "x-long": "x".repeat(LARGEST_HEADERS) } })).status).toBe(431);
});

test("a function that throws is 502 without its message", async () => {
  const { url } = await serve(async () => Promise.reject(new Error("a secret")));
  const response = await post(`${url}/run/1`);
  expect([response.status, (await response.text()).includes("secret")]).toEqual([502, false]);
});

test("past the bounds of concurrency and queue: 503 with Retry-After at once; within them each has its turn", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(handler, { admission: { ...ROOMY, concurrency: 2, queue: 3 } });
  const taken = Array.from({ length: 5 }, () => post(`${url}/run/1`));
  await reached(2);
  while (((await (await fetch(`${url}/ready`)).json()) as { queued: number }).queued < 3) await sleep(1);
  const turnedAway = await post(`${url}/run/1`);
  expect([turnedAway.status, turnedAway.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await turnedAway.json()).toMatchObject({ error: { code: "overloaded" } });
  expect((await fetch(`${url}/nowhere`)).status).toBe(404);
  open();
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect((await post(`${url}/run/1`)).status).toBe(200);
});

test("who waits too long for a turn is told 503, and is not run later", async () => {
  const { handler, reached, open } = gated();
  let runs = 0;
  const counted: Handler = (event, context) => (runs++, handler(event, context));
  const { url } = await serve(counted, { admission: { concurrency: 1, queue: 10, patience: 30 } });
  const first = post(`${url}/run/1`);
  await reached(1);
  expect((await post(`${url}/run/2`)).status).toBe(503);
  open();
  expect((await first).status).toBe(200);
  expect(runs).toBe(1);
});

test("the services' own calls need no turn: a full host does not wait for itself", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(handler, { admission: { ...ROOMY, concurrency: 1, queue: 0 } });
  const outer = post(`${url}/run/1`);
  await reached(1);
  const inner = post(`${url}/inner`, { headers: { "x-shop-signature": "right" } });
  await reached(2);
  open();
  expect([(await outer).status, (await inner).status]).toEqual([200, 200]);
});

test("calls between the services have a place of their own, and no more than clients have: past it 503", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(handler, { admission: { concurrency: 1, queue: 0, patience: 60_000 } });
  const headers = { "x-shop-signature": "right" };
  const first = post(`${url}/inner`, { headers });
  await reached(1);
  const second = await post(`${url}/inner`, { headers });
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
  open();
  expect((await first).status).toBe(200);
});

test("drain: what is under way is answered, kept connections are told to close, nobody new gets in", async () => {
  const { handler, reached, open } = gated();
  const { url, server, port } = await serve(handler);
  const under = post(`${url}/run/1`);
  await reached(1);
  const drained = server.drain(60_000);
  expect(
    await new Promise((resolve) =>
      connect(port, "127.0.0.1")
        .once("connect", () => resolve("taken"))
        .once("error", ({ code }: NodeJS.ErrnoException) => resolve(code)),
    ),
  ).toBe("ECONNREFUSED");
  open();
  const response = await under;
  expect([response.status, response.headers.get("connection"), await response.text()]).toEqual([200, "close", "done"]);
  await drained;
});

test("drain: a request on a connection that was open already is not begun, and what it stands behind is answered", async () => {
  const { handler, reached, open } = gated();
  let runs = 0;
  const counted: Handler = (event, context) => (runs++, handler(event, context));
  const { port, server } = await serve(counted);
  const socket = connect(port, "127.0.0.1");
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const closed = once(socket, "close");
  socket.write("POST /run/1 HTTP/1.1\r\nhost: x\r\n\r\n");
  await reached(1);
  const drained = server.drain(60_000);
  socket.write("POST /run/2 HTTP/1.1\r\nhost: x\r\n\r\n");
  await sleep(20);
  open();
  await Promise.all([drained, closed]);
  expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(runs).toBe(1);
});

test("drain: where services are called through this server, their calls are taken until no client waits; clients are refused", async () => {
  const { handler, reached, open } = gated();
  const runs: string[] = [];
  const { url, server } = await serve(
    async (event, context) => {
      const { path } = event as APIGatewayProxyEvent;
      runs.push(path);
      if (path === "/inner") return { statusCode: 200, body: "" };
      await handler(event, context);
      const { status } = await post(`${url}/inner`, { headers: { "x-shop-signature": "right" } });
      return { statusCode: 200, body: `inner: ${status}` };
    },
    { callsItself: true },
  );
  const under = post(`${url}/run/1`);
  await reached(1);
  const drained = server.drain(60_000);
  for (const [path, headers] of [
    ["/run/2", {}],
    ["/inner", { "x-shop-signature": "wrong" }],
    ["/health", {}],
  ] as const) {
    const refused = await fetch(url + path, { method: path === "/health" ? "GET" : "POST", headers });
    expect([path, refused.status, refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual([
      path,
      503,
      "1",
      "close",
    ]);
    expect(await refused.text()).toContain("the host is stopping");
  }
  const ready = await fetch(`${url}/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, expect.objectContaining({ draining: true, active: 1 })]);
  open();
  expect(await (await under).text()).toBe("inner: 200");
  await drained;
  expect(runs).toEqual(["/run/1", "/inner"]);
  await expect(fetch(`${url}/ready`)).rejects.toThrow();
});

test("drain: a body that is still being read belongs to a request under way, whose calls are taken", async () => {
  const { port, url, server } = await serve(
    async (event) => {
      if ((event as APIGatewayProxyEvent).path === "/inner") return { statusCode: 200, body: "" };
      const { status } = await post(`${url}/inner`, { headers: { "x-shop-signature": "right" } });
      return { statusCode: 200, body: `inner: ${status}` };
    },
    { callsItself: true },
  );
  const socket = connect(port, "127.0.0.1");
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const closed = once(socket, "close");
  socket.write("POST /run/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{");
  await turns(url);
  const drained = server.drain(60_000);
  socket.write("}");
  await Promise.all([drained, closed]);
  expect(said).toMatch(/inner: 200$/);
});

test("drain: where services are called through this server, what takes longer than the patience breaks off, too", async () => {
  const { handler, reached, open } = gated();
  endings.push(open);
  const { url, server } = await serve(handler, { callsItself: true });
  const under = post(`${url}/run/1`).catch(() => null);
  await reached(1);
  await server.drain(20);
  expect(await under).toBeNull();
  await expect(fetch(`${url}/ready`)).rejects.toThrow();
});

test("drain: what takes longer than the patience breaks off", async () => {
  const { handler, reached, open } = gated();
  endings.push(open);
  const { url, server } = await serve(handler);
  const under = post(`${url}/run/1`).then(
    () => "answered",
    () => "broken off",
  );
  await reached(1);
  await server.drain(20);
  expect(await under).toBe("broken off");
});

test("/ready says whether each service does, and how many requests are under way and wait", async () => {
  const services: Record<string, string | null> = { order: null, stock: "no answer" };
  const { url } = await serve(echo, { probe: async () => services });
  const response = await fetch(`${url}/ready`);
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await response.json()).toEqual({ ready: false, draining: false, services, active: 0, queued: 0 });
  services["stock"] = null;
  expect((await fetch(`${url}/ready`)).status).toBe(200);
});

test("/ready is 503 while the host stops, though every service is well", async () => {
  const { handler, reached, open } = gated();
  const { url, port, server } = await serve(handler);
  const under = post(`${url}/run/1`);
  await reached(1);
  // A monitor that keeps its connection.
  const socket = connect(port, "127.0.0.1");
  endings.push(() => socket.destroy());
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  socket.write("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n");
  while (!said.includes('"queued"')) await once(socket, "data");
  expect(said).toMatch(/^HTTP\/1.1 200 /);
  said = "";
  // Kept open by a request that is not whole yet: idle connections are closed at once.
  socket.write("GET /ready HTTP/1.1\r\n");
  await sleep(20);
  const drained = server.drain(60_000);
  socket.write("host: x\r\n\r\n");
  while (!said.includes('"queued"')) await once(socket, "data");
  expect(said).toMatch(/^HTTP\/1.1 503 /);
  expect(said).toContain('"draining":true');
  open();
  await Promise.all([under, drained]);
});

test("health is told without a turn: monitors see a full host as it is", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(
    async (event, context) =>
      (event as APIGatewayProxyEvent).path === "/health" ? { statusCode: 200, body: "" } : handler(event, context),
    {
      admission: { ...ROOMY, concurrency: 1, queue: 0 },
    },
  );
  const under = post(`${url}/run/1`);
  await reached(1);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  open();
  await under;
});

test("a signature that is none gives no way past admission", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(handler, { admission: { ...ROOMY, concurrency: 1, queue: 0 } });
  const under = post(`${url}/run/1`);
  await reached(1);
  expect((await post(`${url}/run/2`, { headers: { "x-shop-signature": "wrong" } })).status).toBe(503);
  open();
  await under;
});

test("who waits too long gives its place in the queue back: after many of them there is room again", async () => {
  const { handler, reached, open } = gated();
  const { url } = await serve(handler, { admission: { concurrency: 1, queue: 2, patience: 30 } });
  const first = post(`${url}/run/1`);
  await reached(1);
  for (let i = 0; i < 3; i++) {
    const waited = await Promise.all([post(`${url}/run/2`), post(`${url}/run/2`)]);
    for (const response of waited) expect(await response.text()).toContain("this request's turn");
  }
  open();
  await first;
  for (let i = 0; i < 3; i++) expect((await post(`${url}/run/3`)).status).toBe(200);
});

test("a request behind another one on a connection that is gone is not begun", async () => {
  const { handler, reached, open } = gated();
  const runs: string[] = [];
  const counted: Handler = (event, context) => (
    runs.push((event as APIGatewayProxyEvent).path),
    handler(event, context)
  );
  const { url, port, server } = await serve(counted);
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /run/1 HTTP/1.1\r\nhost: x\r\n\r\nPOST /run/2 HTTP/1.1\r\nhost: x\r\n\r\n");
  await reached(1);
  socket.resetAndDestroy(); // who only closes its side may wait for both answers
  await once(socket, "close");
  await fetch(`${url}/ready`);
  open();
  while (server.figures.active > 0) await sleep(1);
  await fetch(`${url}/ready`);
  expect(runs).toEqual(["/run/1"]);
});

test("a queued request whose client has left is not begun, and its place is free at once", async () => {
  const { handler, reached, open } = gated();
  const runs: string[] = [];
  const counted: Handler = (event, context) => (
    runs.push((event as APIGatewayProxyEvent).path),
    handler(event, context)
  );
  const { url, port } = await serve(counted, { admission: { concurrency: 1, queue: 1, patience: 60_000 } });
  const first = post(`${url}/run/1`);
  await reached(1);
  const queued = async (count: number): Promise<void> => {
    while (((await (await fetch(`${url}/ready`)).json()) as { queued: number }).queued !== count) await sleep(1);
  };
  for (let i = 0; i < 3; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.write("POST /run/left HTTP/1.1\r\nhost: x\r\n\r\n");
    await queued(1);
    socket.destroy();
    await queued(0);
  }
  const last = post(`${url}/run/last`);
  await queued(1);
  open();
  expect((await Promise.all([first, last])).map(({ status }) => status)).toEqual([200, 200]);
  expect(runs).toEqual(["/run/1", "/run/last"]);
});

/** Requests on one connection, as many as no queue has room for: about 1 MB. */
const PIPELINED = 20_000;
const pipelined = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `GET /run/${from + i} HTTP/1.1\r\nhost: shop.example\r\n\r\n`).join("");
/** As many of them as come in one piece of 64 kB, and those that may wait before that. */
const MOST_READ = MOST_WAITING + 65_536 / pipelined(0, 1).length;

/** The server has had many turns to read what it wants to read. */
async function turns(url: string): Promise<void> {
  for (let i = 0; i < 50; i++) await (await fetch(`${url}/ready`)).text();
}

/** A connection whose first request is under way, with more behind it than are read. */
async function flooded(handler: Handler, reached: (count: number) => Promise<void>) {
  const served = await serve(handler);
  const socket = connect(served.port, "127.0.0.1");
  endings.push(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(pipelined(0, 1));
  await reached(1);
  socket.write(pipelined(1, PIPELINED));
  while (served.server.figures.queued <= MOST_WAITING) await sleep(1);
  await turns(served.url);
  return { ...served, socket };
}

test("of the requests on one connection only a few are read ahead, and counted as waiting; each is answered, in turn", async () => {
  const { handler, reached, open } = gated();
  const named: Handler = async (event, context) => {
    await handler(event, context);
    return { statusCode: 200, body: `${(event as APIGatewayProxyEvent).path}\n` };
  };
  const { url, server, socket } = await flooded(named, reached);
  expect(server.figures.active).toBe(1);
  expect(server.figures.queued).toBeLessThanOrEqual(MOST_READ);
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  open();
  while (!said.endsWith(`/run/${PIPELINED - 1}\n`)) {
    expect(server.figures.queued).toBeLessThanOrEqual(MOST_READ);
    await once(socket, "data");
  }
  const answered = said.match(/^\/run\/.*/gm) ?? [];
  expect(answered.length).toBe(PIPELINED);
  expect(answered.findIndex((path, i) => path !== `/run/${i}`)).toBe(-1);
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  expect(server.figures).toEqual({ active: 0, queued: 0 });
});

test("a long body behind more requests than are read ahead is not read, though another body has just ended", async () => {
  const { handler, reached, open } = gated();
  const lengths: number[] = [];
  const listed: Handler = async (event, context) => {
    lengths.push((event as APIGatewayProxyEvent).body?.length ?? 0);
    return handler(event, context);
  };
  const { url, port, server } = await serve(listed);
  const socket = connect(port, "127.0.0.1");
  endings.push(() => socket.destroy());
  socket.resume();
  const head = (length: number): string => `POST /run/1 HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`;
  socket.write(pipelined(0, MOST_WAITING));
  await reached(1);
  socket.write(head(70_000) + "x".repeat(60_000));
  while (server.figures.queued < MOST_WAITING) await sleep(1);
  await turns(url);
  // Node stops reading for the body that it has, and goes on for what is behind it, all in one piece.
  socket.write("x".repeat(10_000) + head(32 * LARGEST_BODY), () => socket.write("x".repeat(32 * LARGEST_BODY)));
  for (let i = 0; i < 5; i++) await turns(url);
  expect([socket.writableLength > 0, server.figures.queued]).toEqual([true, MOST_WAITING + 1]);
  open();
  while (socket.writableLength > 0) await sleep(1);
  await reached(MOST_WAITING + 1);
  expect(lengths.at(-1)).toBe(70_000);
});

test("a connection that is not read is given up once its client has left, and little of what waits on it is begun", async () => {
  const { handler, reached, open } = gated();
  let runs = 0;
  const counted: Handler = async (event, context) => {
    runs++;
    await turn();
    return handler(event, context);
  };
  const { server, socket } = await flooded(counted, reached);
  socket.resetAndDestroy();
  await once(socket, "close");
  open();
  while (server.figures.queued > 0) await sleep(1);
  expect(runs).toBeLessThanOrEqual(MOST_WAITING);
});

test("drain: what is under way on a connection that is not read is answered, and nothing behind it is begun", async () => {
  const { handler, reached, open } = gated();
  let runs = 0;
  const counted: Handler = (event, context) => (runs++, handler(event, context));
  const { server, socket } = await flooded(counted, reached);
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const drained = server.drain(60_000);
  open();
  await Promise.all([drained, closed]);
  expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(runs).toBe(1);
});

test("what is for those who watch the host is worked on in turn, too", async () => {
  const waiting: (() => void)[] = [];
  const { port, server } = await serve(echo, {
    mounted: ({ url }, response) => url === "/watch" && waiting.push(() => response.end("seen")) > 0,
  });
  const socket = connect(port, "127.0.0.1");
  endings.push(() => socket.destroy());
  socket.resume();
  socket.write("GET /watch HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3));
  for (let i = 0; i < 3; i++) {
    while (waiting.length === 0) await sleep(1);
    expect(server.figures.queued).toBe(2 - i);
    expect(waiting).toHaveLength(1);
    waiting.shift()?.();
  }
  // One that is not answered ends with its connection, and so does what waits behind it.
  socket.write("GET /watch HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2));
  while (server.figures.queued < 1) await sleep(1);
  socket.resetAndDestroy();
  while (server.figures.queued > 0) await sleep(1);
});

test("a schedule runs its function again and again, never twice at once, also after a failure", async () => {
  let [runs, active, most] = [0, 0, 0];
  const description = {
    name: "tick",
    handler: "tick.handler",
    timeout: 1_000,
    memoryMegabytes: 512,
    routes: [],
    schedules: [5],
  };
  const end = startSchedules([description], async (name) => {
    expect(name).toBe("tick");
    most = Math.max(most, ++active);
    await sleep(12);
    active--;
    if (++runs === 1) throw new Error("the first one fails");
  });
  while (runs < 4) await sleep(5);
  end();
  const ended = runs + active;
  await sleep(50);
  expect(runs).toBeLessThanOrEqual(ended);
  expect(most).toBe(1);
});
