import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Load } from "../load/load.ts";

/** Milliseconds for which the server stalls when asked for /stall, for those who come meanwhile too. */
const STALL = 400;
const asked: string[] = [];
let free = Promise.resolve();
const server = createServer((request, response) => {
  const path = request.url ?? "";
  asked.push(path);
  if (path === "/stall") free = new Promise((resolve) => setTimeout(resolve, STALL));
  void free.then(() => {
    if (path === "/cut") {
      request.socket.destroy();
      return;
    }
    response.statusCode = path === "/refused" ? 400 : 200;
    response.end(`answer to ${path}`);
  });
});
let url = "";
let load: Load;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  load = Load.start();
});
afterAll(() => {
  load.stop();
  server.closeAllConnections();
  server.close();
});

test("each request is sent once, and its status and answer are told in its place", async () => {
  const paths = Array.from({ length: 50 }, (_, i) => (i % 10 === 3 ? "/refused" : `/${i}`));
  asked.length = 0;
  const { statuses, bodies, latencies } = await load.run({ url, method: "POST", paths, connections: 7, bodies: true });
  expect(asked.toSorted()).toEqual(paths.toSorted());
  expect(statuses).toEqual(paths.map((path) => (path === "/refused" ? 400 : 200)));
  expect(bodies).toEqual(paths.map((path) => `answer to ${path}`));
  expect(latencies.every((latency) => latency > 0)).toBe(true);
});

test("a connection that is cut is no answer, and is not sent again", async () => {
  asked.length = 0;
  const { statuses } = await load.run({ url, method: "POST", paths: ["/a", "/cut", "/b"], connections: 1 });
  expect(statuses).toEqual([200, 0, 200]);
  expect(asked).toEqual(["/a", "/cut", "/b"]);
});

test("in an open loop a stall is paid by all who were due in it, in a closed one by those alone who were under way", async () => {
  const paths = ["/stall", ...Array.from({ length: 39 }, (_, i) => `/${i}`)];
  const slow = (latencies: readonly number[]): number => latencies.filter((latency) => latency > STALL / 4).length;
  const closed = await load.run({ url, method: "GET", paths, connections: 1 });
  const open = await load.run({ url, method: "GET", paths, connections: 1, rate: 100 });
  expect(slow(open.latencies)).toBeGreaterThan(slow(closed.latencies) + 10);
});
