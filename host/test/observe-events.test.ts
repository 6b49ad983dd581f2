/** The same as `observe.test.ts` of a shop whose checkouts go by events: one trace, over queues and processes; what the queues hold. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort } from "../ports.ts";
import { startShop, type RunningShop } from "../running-shop.ts";
import { Collector, type Exported } from "./support/collector.ts";

let shop: RunningShop;
const collector = new Collector();

beforeAll(async () => {
  const endpoint = await collector.listen();
  shop = await startShop("serve", await freeHttpPort(), {
    SAGA: "events",
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_BSP_SCHEDULE_DELAY: "100",
    RESEND_MS: "500",
  });
}, 60_000);
afterAll(async () => {
  await shop.stop();
  shop.removeData();
  collector.close();
});

async function post(path: string, headers: Record<string, string> = {}): Promise<Record<string, string>> {
  const response = await fetch(shop.url + path, { method: "POST", headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text.startsWith("{") ? (JSON.parse(text) as Record<string, string>) : {};
}

async function newOrder(): Promise<string> {
  const { item_id } = await post("/stock/item/create/5");
  const { user_id } = await post("/payment/create_user");
  await post(`/stock/add/${item_id}/10`);
  await post(`/payment/add_funds/${user_id}/100`);
  const { order_id } = await post(`/orders/create/${user_id}`);
  await post(`/orders/addItem/${order_id}/${item_id}/2`);
  return order_id ?? "";
}

async function eventually<T>(look: () => T | Promise<T>, patience = 25_000): Promise<T> {
  for (const end = Date.now() + patience; ; await sleep(50)) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** Of the queues; by service and what the messages wait for. */
async function gauges(): Promise<Map<string, number>> {
  const text = await (await fetch(`${shop.url}/metrics`)).text();
  const found = text.matchAll(/^shop_queue_(\w+)\{service="(\w+)"(?:,state="(\w+)")?\} (\S+)$/gm);
  return new Map([...found].map(([, name, service, state = name, value]) => [`${service} ${state}`, Number(value)]));
}

test("a checkout by events is one trace: each message is sent in the trace of the one before, and handled in its own", async () => {
  const [trace, caller] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  await post(`/orders/checkout/${await newOrder()}`, { traceparent: `00-${trace}-${caller}-01` });
  const way = ["checkout_started", "stock_reserved", "payment_charged"];
  const spans = await eventually(() => {
    const found = collector.of(trace);
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        ...way.flatMap((type) => [`send ${type}`, `process ${type}`]),
        ...["checkout", "reserve", "charge", "saga_paid"].map((op) => `transaction ${op}`),
      ]),
    );
    return found;
  });
  const named = (name: string): Exported => spans.find((span) => span.name === name) as Exported;
  const parentOf = (name: string): string | undefined =>
    spans.find(({ spanId }) => spanId === named(name).parentSpanId)?.name;
  expect(named("POST /orders/checkout/{order_id}").parentSpanId).toBe(caller);
  expect(parentOf("send checkout_started")).toBe("POST /orders/checkout/{order_id}");
  for (const type of way) expect(parentOf(`process ${type}`)).toBe(`send ${type}`);
  expect(parentOf("send stock_reserved")).toBe("process checkout_started");
  expect(parentOf("send payment_charged")).toBe("process stock_reserved");
  expect(parentOf("transaction charge")).toBe("process stock_reserved");
  expect(parentOf("transaction saga_paid")).toBe("process payment_charged");
});

test("the lines of all services about one checkout have one trace and its saga", async () => {
  const order = await newOrder();
  const trace = "2cf7651916cd43dd8448eb211c80319c";
  await post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-b7ad6b7169203331-01` });
  const lines = await eventually(() => {
    const found = readFileSync(`${shop.dataFolder}/run/host.out`, "utf8")
      .split("\n")
      .filter((line) => line.includes(trace))
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(found.map(({ service, type = "request" }) => `${service} ${type}`).sort()).toEqual([
      "order payment_charged",
      "order request",
      "payment stock_reserved",
      "stock checkout_started",
    ]);
    return found;
  });
  expect(new Set(lines.map((line) => line["trace"]))).toEqual(new Set([trace]));
  expect(new Set(lines.map(({ saga }) => saga)).size).toBe(1);
});

test("a checkout that is held up: the metrics show what waits and for how long; a killed host's is one trace with what another process does", async () => {
  expect(await gauges()).toEqual(
    new Map(
      ["waiting", "in_flight", "dead", "oldest_seconds"].flatMap((what) =>
        ["order", "stock", "payment"].map((service) => [`${service} ${what}`, 0] as const),
      ),
    ),
  );
  const [trace, caller] = ["1bf7651916cd43dd8448eb211c80319c", "c7ad6b7169203331"];
  const order = await newOrder();
  const payment = shop.pidOf("redis-payment");
  process.kill(payment, "SIGSTOP");
  try {
    const lost = post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-${caller}-01` }).catch(() => undefined);
    // What the host has sent by now is not lost with it.
    await eventually(() => expect(collector.of(trace).map(({ name }) => name)).toContain("send stock_reserved"));
    await eventually(async () => {
      const found = await gauges();
      expect(found.get("payment in_flight")).toBeGreaterThan(0);
      expect(found.get("payment oldest_seconds")).toBeGreaterThan(0.5);
    });
    process.kill(shop.pidOf("host"), "SIGKILL");
    await lost;
  } finally {
    process.kill(payment, "SIGCONT");
  }
  const spans = await eventually(() => {
    const found = collector.of(trace);
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["transaction checkout", "resume checkout", "transaction saga_paid"]),
    );
    return found;
  });
  const pidsOf = (name: string): (number | undefined)[] =>
    spans.flatMap((span) => (span.name === name ? span.pid : []));
  const [ended] = pidsOf("transaction saga_paid");
  expect(pidsOf("transaction checkout")).not.toContain(ended);
  expect(pidsOf("resume checkout")).toContain(ended);
}, 60_000);

test("where nobody answers for the queues, the other metrics are there", async () => {
  process.kill(shop.pidOf("queues"), "SIGKILL");
  const text = await (await fetch(`${shop.url}/metrics`)).text();
  expect(text).toContain("shop_sagas_total");
  expect(text).toContain("# TYPE shop_queue_messages gauge");
});
