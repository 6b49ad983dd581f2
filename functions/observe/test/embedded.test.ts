/** On Lambda metrics are lines of the log: what CloudWatch is told, and when. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { channel } from "node:diagnostics_channel";
import { embedMetrics } from "../embedded.ts";
import { METRICS } from "../measures.ts";
import { strictTraceparent, traceIdOf, traceOfRequest } from "../trace-context.ts";

const APPEND = { store: "store-1", epoch: 4, commits: 1, bytes: 9, started: 0, ended: 10, error: null };
const ATTEMPT = { outcome: "executed", size: 1, transactions: [], started: 0, ended: 1 };
const RESTORED = { event: "restored", epoch: 4, records: 1, keys: 1, ms: 9, store: "store-1" };

/** The lines that come of what is told meanwhile. */
async function linesOf(tell: () => void): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (text: string) => lines.push(...text.trim().split("\n")) > 0;
  try {
    tell();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  } finally {
    process.stdout.write = write;
  }
  return lines.map((text) => JSON.parse(text) as Record<string, unknown>);
}

describe("while somebody wants metrics", () => {
  let end: () => void;
  beforeEach(() => void (end = embedMetrics("shop-test")));
  afterEach(() => end());

  test("what happens in one turn of the event loop is one line for each service, with the values of each metric", async () => {
    const request = { service: "stock", method: "GET", route: "/stock/find/{item_id}", status: 503, ms: 12 };
    const [line, ...others] = await linesOf(() => {
      channel("shop:request").publish(request);
      for (const ended of [10, 20]) channel("log-replay:append").publish({ ...APPEND, name: "stock", ended });
    });
    expect(others).toEqual([]);
    expect(line).toMatchObject({
      service: "stock",
      Requests: 1,
      ServerErrors: 1,
      RequestSeconds: 0.012,
      AppendSeconds: [0.01, 0.02],
    });
    const { CloudWatchMetrics } = line?.["_aws"] as {
      CloudWatchMetrics: { Namespace: string; Metrics: { Name: string }[] }[];
    };
    expect(CloudWatchMetrics[0]?.Namespace).toBe("shop-test");
    const known = new Set<string>(Object.values(METRICS).map(({ embedded }) => embedded));
    expect(CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name).filter((name) => !known.has(name))).toEqual([]);
  });

  test("all metrics that a host has by name are written", async () => {
    const name = "order";
    const lines = await linesOf(() => {
      channel("shop:request").publish({ service: name, method: "GET", route: "/orders", status: 500, ms: 1 });
      channel("shop:saga").publish({ saga: "s", outcome: "paid", ms: 1 });
      channel("shop:stuck").publish({ stuck: 0 });
      for (const outcome of ["executed", "conflict"])
        channel("redis-occ:attempt").publish({ ...ATTEMPT, name, outcome });
      channel("log-replay:append").publish({ ...APPEND, name });
      channel("log-replay:append").publish({ ...APPEND, name, error: new Error("full") });
      channel("log-replay:restore").publish({ ...RESTORED, name, event: "restore started" });
      channel("log-replay:restore").publish({ ...RESTORED, name });
    });
    const { _aws, service, ...values } = lines[0] ?? {};
    expect([lines.length, service, typeof _aws]).toEqual([1, name, "object"]);
    expect(Object.keys(values).sort()).toEqual(
      Object.values(METRICS)
        .map(({ embedded }) => embedded)
        .sort(),
    );
  });

  test("a state that has no name is none of the shop's: no line counts what it does", async () => {
    expect(
      await linesOf(() => {
        channel("redis-occ:attempt").publish({ ...ATTEMPT, name: undefined });
        channel("log-replay:append").publish({ ...APPEND, name: undefined });
        channel("log-replay:append").publish({ ...APPEND, name: undefined, error: new Error("full") });
        channel("log-replay:restore").publish({ ...RESTORED, name: undefined, event: "restore started" });
        channel("log-replay:restore").publish({ ...RESTORED, name: undefined });
      }),
    ).toEqual([]);
  });
});

test("nobody is told once it has ended: the channels outlive whoever listens", async () => {
  embedMetrics("shop-test")();
  const told = { name: "stock" };
  expect(
    await linesOf(() => {
      channel("redis-occ:attempt").publish({ ...ATTEMPT, ...told });
      channel("log-replay:append").publish({ ...APPEND, ...told });
      channel("log-replay:restore").publish({ ...RESTORED, ...told });
      channel("shop:stuck").publish({ stuck: 1 });
    }),
  ).toEqual([]);
  expect(["shop:request", "shop:saga", "shop:stuck"].filter((name) => channel(name).hasSubscribers)).toEqual([]);
});

test.each([
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"],
  ["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", "0af7651916cd43dd8448eb211c80319c"],
  ["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what-comes", null],
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", null],
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", null],
  ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", null],
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01", null],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", null],
  ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", null],
  ["nonsense", null],
  ["", null],
])("of the traceparent %p the trace is %p", (traceparent, trace) => expect(traceIdOf(traceparent)).toBe(trace));

const OF_VERSION_00 = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test.each([
  [OF_VERSION_00, OF_VERSION_00],
  [`${OF_VERSION_00}-`, ""],
  [`01${OF_VERSION_00.slice(2)}`, OF_VERSION_00],
  [`cc${OF_VERSION_00.slice(2)}-${"x".repeat(16_000)}`, OF_VERSION_00],
  [`cc${OF_VERSION_00.slice(2)}-\u20ac\r\n`, OF_VERSION_00],
  [`cc${OF_VERSION_00.slice(2, -2)}fe`, `${OF_VERSION_00.slice(0, -2)}00`],
  ["nonsense", ""],
  [undefined, ""],
])("of the traceparent %j, %j is kept and sent on, 55 characters at most", (given, kept) =>
  expect(strictTraceparent(given)).toBe(kept),
);

test("a request without a trace is one by its own id", () => {
  const made = traceOfRequest("2a480433-6745-4ecd-b49f-f45772521aaf");
  expect(traceIdOf(made)).toBe("2a48043367454ecdb49ff45772521aaf");
  expect(traceOfRequest("no uuid")).toBe("");
  expect(traceOfRequest("2A480433-6745-4ECD-B49F-F45772521AAF")).toBe(made);
  expect(traceOfRequest("2a480433-6745-4ecd-0000-000000000000")).toBe("");
});
