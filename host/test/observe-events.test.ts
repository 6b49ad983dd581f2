/** The same as `observe.test.ts` of a shop whose checkouts go by events: one trace, over queues and processes; what the queues hold. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { promisedMetrics } from "../../test/support/metrics-table.ts";
import { isOfService, type Exported } from "./support/collector.ts";
import { eventually, TracedShop } from "./support/traced-shop.ts";

let on: TracedShop;
beforeAll(async () => (on = await TracedShop.start({ SAGA: "events", RESEND_MS: "500" })), 60_000);
afterAll(() => on.stop());

/** The gauges of the queues, by service and by what the messages wait for. */
async function gauges(): Promise<Map<string, number>> {
  const text = await (await fetch(`${on.shop.url}/metrics`)).text();
  const found = text.matchAll(/^shop_queue_(\w+)\{service="(\w+)"(?:,state="(\w+)")?\} (\S+)$/gm);
  return new Map([...found].map(([, name, service, state = name, value]) => [`${service} ${state}`, Number(value)]));
}

test("a checkout by events is one trace: each message is sent in the trace of the one before, and handled in its own", async () => {
  const [trace, caller] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  await on.post(`/orders/checkout/${await on.newOrder()}`, { traceparent: `00-${trace}-${caller}-01` });
  const way = ["checkout_started", "stock_reserved", "payment_charged"];
  const spans = await eventually(() => {
    const found = on.collector.of(trace);
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
  expect(on.collector.spans.filter((span) => !isOfService(span))).toEqual([]);
});

test("the lines of all services about one checkout have one trace and its saga", async () => {
  const order = await on.newOrder();
  const trace = "2cf7651916cd43dd8448eb211c80319c";
  await on.post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-b7ad6b7169203331-01` });
  const lines = await eventually(() => {
    const found = on.linesWith(trace);
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
  const order = await on.newOrder();
  const payment = on.shop.pidOf("redis-payment");
  process.kill(payment, "SIGSTOP");
  try {
    const lost = on
      .post(`/orders/checkout/${order}`, { traceparent: `00-${trace}-${caller}-01` })
      .catch(() => undefined);
    // What the host has sent by now is not lost with it.
    await eventually(() => expect(on.collector.of(trace).map(({ name }) => name)).toContain("send stock_reserved"));
    await eventually(async () => {
      const found = await gauges();
      expect(found.get("payment in_flight")).toBeGreaterThan(0);
      expect(found.get("payment oldest_seconds")).toBeGreaterThan(0.5);
    });
    process.kill(on.shop.pidOf("host"), "SIGKILL");
    await lost;
  } finally {
    process.kill(payment, "SIGCONT");
  }
  const spans = await eventually(() => {
    const found = on.collector.of(trace);
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

test("each series is in docs/operate.md with the labels that it has, and each of a service names one of the three", async () => {
  const text = await (await fetch(`${on.shop.url}/metrics`)).text();
  const series = text.split("\n").flatMap((line) => {
    const [, name = "", labels = ""] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    return name === ""
      ? []
      : [
          {
            name,
            labels: new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value])),
          },
        ];
  });
  const own = series.filter(({ name }) => !/^(nodejs|process)_/.test(name));
  const promised = new Map(promisedMetrics().map(({ name, labels }) => [name, labels]));
  const has = (name: string): string => name.replace(promised.has(name) ? /$/ : /_(bucket|sum|count)$/, "");
  const strange = own.filter(({ name, labels }) => {
    const keys = [...labels.keys()].filter((key) => key !== "le").sort();
    return (
      keys.join() !== promised.get(has(name))?.join() ||
      !["order", "stock", "payment", undefined].includes(labels.get("service"))
    );
  });
  expect(strange).toEqual([]);
  expect([...promised.keys()].filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
});

test("where nobody answers for the queues, the other metrics are there", async () => {
  process.kill(on.shop.pidOf("queues"), "SIGKILL");
  const text = await (await fetch(`${on.shop.url}/metrics`)).text();
  expect(text).toContain("shop_sagas_total");
  expect(text).toContain("# TYPE shop_queue_messages gauge");
});
