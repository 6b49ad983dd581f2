/** What only the way through the gateway has: connections. service-client.test.ts has what both ways have in common. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { httpClient } from "../http-client.ts";

let server: Server;
let listener: RequestListener;
const sockets: Socket[] = [];

beforeAll(async () => {
  server = createServer((request, response) => listener(request, response));
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env["INTERNAL_SECRET"] = "secret";
});
beforeEach(() => void (process.env["GATEWAY_URL"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const post = { method: "POST", path: "/stock/reserve", body: { saga: "ä" }, timeout: 20_000 } as const;
const ambiguous = expect.objectContaining({ code: "outcome_unknown", statusCode: 504 });

test("connections are kept", async () => {
  listener = (request, response) => void request.resume().on("end", () => response.end());
  await httpClient(post);
  const before = sockets.length;
  for (let i = 0; i < 5; i++) await httpClient(post);
  expect(sockets.length).toBe(before);
});

test("a kept connection that the other side closed is no trouble: once more on another one", async () => {
  listener = (request, response) => void request.resume().on("end", () => response.end("again"));
  await httpClient(post);
  let first = true;
  listener = (request, response) => {
    if (first) {
      first = false;
      return void request.socket.destroy();
    }
    request.resume().on("end", () => response.end("again"));
  };
  expect(await httpClient(post)).toEqual({ status: 200, body: "again" });
});

describe("whether the other side did it is not known", () => {
  test("where its answer stalls half way", async () => {
    listener = (_request, response) => void response.writeHead(200, { "content-length": "10" }).write("half");
    await expect(httpClient({ ...post, timeout: 200 })).rejects.toEqual(ambiguous);
  });

  test("where its answer breaks off half way", async () => {
    listener = (_request, response) => {
      response.writeHead(200, { "content-length": "10" }).write("half");
      void sleep(20).then(() => response.destroy());
    };
    await expect(httpClient(post)).rejects.toEqual(ambiguous);
  });

  test("where it breaks off each time before an answer", async () => {
    listener = (request) => void request.socket.destroy();
    await expect(httpClient(post)).rejects.toEqual(ambiguous);
  });
});

test("where nobody listens nothing was done: that may be tried again", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  process.env["GATEWAY_URL"] = `http://127.0.0.1:${port}`;
  await expect(httpClient(post)).rejects.toEqual(
    expect.objectContaining({ code: "service_unavailable", statusCode: 503, retryable: true }),
  );
});
