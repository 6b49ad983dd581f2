/** On Lambda metrics are lines of the log: what CloudWatch is told, and when. */
import { expect, test } from "@jest/globals";
import { channel } from "node:diagnostics_channel";
import { embedMetrics } from "../embedded.ts";
import { METRICS } from "../measures.ts";
import { traceIdOf, traceOfRequest } from "../trace-context.ts";

test("what happens in one turn of the event loop is one line for each service, with the values of each metric", async () => {
  const lines: string[] = [];
  const write = process.stdout.write.bind(process.stdout);
  embedMetrics("shop-test");
  process.stdout.write = (text: string) => lines.push(...text.trim().split("\n")) > 0;
  try {
    channel("shop:request").publish({
      service: "stock",
      method: "GET",
      route: "/stock/find/{item_id}",
      status: 503,
      ms: 12,
    });
    for (const ended of [10, 20])
      channel("log-replay:append").publish({
        name: "stock",
        store: "store-1",
        epoch: 4,
        commits: 1,
        bytes: 9,
        started: 0,
        ended,
        error: null,
      });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  } finally {
    process.stdout.write = write;
  }
  const [line, ...others] = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
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

test.each([
  ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"],
  ["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", "0af7651916cd43dd8448eb211c80319c"],
  ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", null],
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01", null],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", null],
  ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", null],
  ["nonsense", null],
  ["", null],
])("of the traceparent %p the trace is %p", (traceparent, trace) => expect(traceIdOf(traceparent)).toBe(trace));

test("a request without a trace is one by its own id", () => {
  const made = traceOfRequest("2a480433-6745-4ecd-b49f-f45772521aaf");
  expect(traceIdOf(made)).toBe("2a48043367454ecdb49ff45772521aaf");
  expect(traceOfRequest("no uuid")).toBe("");
});
