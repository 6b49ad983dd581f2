/** Metrics and traces of a real shop: what a scraper and a collector get, also where the host is killed in the middle. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { METRICS } from "../../functions/observe/measures.ts";
import { freeHttpPort } from "../ports.ts";
import { startShop } from "../running-shop.ts";
import { isOfService, type Exported } from "./support/collector.ts";
import { eventually, TracedShop } from "./support/traced-shop.ts";

let on: TracedShop;
beforeAll(async () => (on = await TracedShop.start({ SAGA_TIMEOUT_MS: "1500" })), 60_000);
afterAll(() => on.stop());

test("a checkout is one trace: the caller's, through all services, down to the group and the append", async () => {
  const [trace, caller] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  await on.post(`/orders/checkout/${await on.newOrder()}`, { traceparent: `00-${trace}-${caller}-01` });
  const spans = await eventually(() => {
    const found = on.collector.of(trace);
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "POST /orders/checkout/{order_id}",
        "transaction checkout",
        "reserve",
        "POST /stock/reserve",
        "transaction reserve",
        "charge",
        "POST /payment/charge",
        "transaction charge",
        "transaction saga_paid",
      ]),
    );
    return found;
  });
  const named = (name: string): Exported => spans.find((span) => span.name === name) as Exported;
  const parentOf = (name: string): string | undefined =>
    spans.find(({ spanId }) => spanId === named(name).parentSpanId)?.name;
  expect(named("POST /orders/checkout/{order_id}").parentSpanId).toBe(caller);
  expect(parentOf("reserve")).toBe("POST /orders/checkout/{order_id}");
  expect(parentOf("POST /stock/reserve")).toBe("reserve");
  expect(parentOf("transaction charge")).toBe("POST /payment/charge");
  const { links = [], spanId } = named("transaction reserve");
  const group = await eventually(() => {
    const found = on.collector.spans.find((span) => links.some((link) => link.spanId === span.spanId));
    if (found === undefined) throw new Error("the group has not come");
    return found;
  });
  expect(group.name).toBe("group");
  expect(group.links?.map((link) => link.spanId)).toContain(spanId);
  expect(on.collector.spans.map(({ name }) => name)).toEqual(expect.arrayContaining(["append", "restore"]));
  expect(on.collector.spans.filter((span) => !isOfService(span))).toEqual([]);
});

test("one trace shows a checkout that a killed host began and another process ended", async () => {
  const [trace, caller] = ["1bf7651916cd43dd8448eb211c80319c", "c7ad6b7169203331"];
  const order = await on.newOrder();
  const payment = on.shop.pidOf("redis-payment");
  process.kill(payment, "SIGSTOP");
  try {
    const lost = on
      .post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-${caller}-01` })
      .catch(() => undefined);
    // What the host has sent by now is not lost with it.
    await eventually(() => expect(on.collector.of(trace).map(({ name }) => name)).toContain("transaction reserve"));
    process.kill(on.shop.pidOf("host"), "SIGKILL");
    await lost;
  } finally {
    process.kill(payment, "SIGCONT");
  }
  const spans = await eventually(() => {
    const found = on.collector.of(trace);
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "transaction checkout",
        "take over checkout",
        "refund",
        "release",
        "transaction saga_closed",
      ]),
    );
    return found;
  });
  const pidOf = (name: string): number | undefined => spans.find((span) => span.name === name)?.pid;
  expect(pidOf("take over checkout")).not.toBe(pidOf("transaction checkout"));
  expect(pidOf("transaction saga_closed")).toBe(pidOf("take over checkout"));
}, 60_000);

test("the lines of all services about one checkout have one trace, its saga, and an id of their own", async () => {
  const order = await on.newOrder();
  const trace = "2cf7651916cd43dd8448eb211c80319c";
  await on.post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-b7ad6b7169203331-01` });
  const lines = await eventually(() => {
    const found = on.linesWith(trace);
    expect(found.map(({ service }) => service).sort()).toEqual(["order", "payment", "stock"]);
    return found;
  });
  expect(new Set(lines.map(({ saga }) => saga)).size).toBe(1);
  expect(new Set(lines.map(({ requestId }) => requestId)).size).toBe(3);
});

test("the metrics count what was asked, and are all that the table promises", async () => {
  const samples = async (): Promise<Map<string, number>> => {
    const text = await (await fetch(`${on.shop.url}/metrics`)).text();
    return new Map(
      text.split("\n").flatMap((line) => {
        const [, name = "", value] = /^([a-z_0-9]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
        return value === undefined ? [] : [[name, Number(value)] as const];
      }),
    );
  };
  const before = await samples();
  await on.post(`/orders/checkout/${await on.newOrder()}`);
  const after = await samples();
  const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown(`shop_requests_total{service="order",route="POST /orders/checkout/{order_id}",status="200"}`)).toBe(1);
  expect(grown(`shop_request_seconds_count{service="stock",route="POST /stock/reserve"}`)).toBe(1);
  expect(grown(`shop_sagas_total{service="order",outcome="paid"}`)).toBe(1);
  expect(grown(`shop_append_seconds_count{service="payment"}`)).toBe(3);
  expect(grown(`shop_group_transactions_sum{service="payment"}`)).toBe(3);
  expect(after.get(`shop_epoch{service="stock"}`)).toBeGreaterThan(0);
  expect(after.get("shop_requests_active")).toBe(0);
  expect(after.get("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
  const text = await (await fetch(`${on.shop.url}/metrics`)).text();
  for (const { name, type } of Object.values(METRICS)) expect(text).toContain(`# TYPE ${name} ${type}`);
});

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
// Where everything has to be tested, it has to be there; elsewhere its absence is no failure.
(hasPromtool || process.env["CI"] === "true" ? test : test.skip)(
  "promtool, which Debian has in its package prometheus, finds nothing wrong with the metrics",
  async () => {
    await on.post(`/orders/checkout/${await on.newOrder()}`);
    const input = await (await fetch(`${on.shop.url}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
    // Node's own metrics have names that prom-client has chosen.
    const ours = stderr.split("\n").filter((line) => line.startsWith("shop_"));
    expect({ ours, stdout, parsed: status !== 1 }).toEqual({ ours: [], stdout: "", parsed: true });
  },
);

test("the console is on the host's own address, and knows the shop", async () => {
  const about = (await (await fetch(`${on.shop.url}/console/api/about`)).json()) as {
    services: string[];
    actions: { name: string }[];
  };
  expect(about.services).toEqual(["order", "stock", "payment"]);
  expect(about.actions.map(({ name }) => name)).toEqual(["resume"]);
  expect((await fetch(`${on.shop.url}/console/do/kill-host`, { method: "POST" })).status).toBe(404);
  const token = readFileSync(`${on.shop.dataFolder}/secrets/console-token`, "utf8").trim();
  const resumed = await fetch(`${on.shop.url}/console/do/resume`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  expect(await resumed.json()).toEqual({ done: JSON.stringify({ settled: 0, open: 0 }) });
  const elsewhere = await fetch(`${on.shop.url}/console/api/now`, { headers: { "x-forwarded-for": "203.0.113.1" } });
  expect(elsewhere.status).toBe(401);
});

test("under npm start the console and the metrics are on the shop's own address as well", async () => {
  const other = await startShop("start", await freeHttpPort(1), {});
  try {
    expect((await fetch(`${other.url}/stock/item/create/5`, { method: "POST" })).status).toBe(200);
    const text = await (await fetch(`${other.url}/metrics`)).text();
    expect(text).toContain(
      `shop_requests_total{service="stock",route="POST /stock/item/create/{price}",status="200"} 1`,
    );
    expect((await fetch(`${other.url}/console/api/about`)).status).toBe(200);
    const token = readFileSync(`${other.dataFolder}/secrets/console-token`, "utf8").trim();
    const headers = { authorization: `Bearer ${token}` };
    const resumed = await fetch(`${other.url}/console/do/resume`, { method: "POST", headers });
    expect(await resumed.json()).toEqual({ done: JSON.stringify({ settled: 0, open: 0 }) });
    // What is not for the console is for the shop.
    expect((await fetch(`${other.url}/consoles`)).status).toBe(404);
  } finally {
    await other.stop();
    other.removeData();
  }
}, 90_000);
