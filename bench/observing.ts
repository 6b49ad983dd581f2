/**
 * `node bench/observing.ts`: what it costs to count a checkout for the metrics, and to find the trace of its three requests, while
 * nobody looks at either; microseconds of CPU, in a loop that does nothing else. `alternate.ts` has the whole, in a shop.
 */
import { randomUUID } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { Measures, measure } from "../functions/observe/measures.ts";
import { traceIdOf, traceOfRequest } from "../functions/observe/trace-context.ts";

const CHECKOUTS = 100_000;
const SERIES = 15;
/** Checkouts whose transactions share a group, at 50 connections. */
const SHARED = 12;
const ROUTES = [
  ["order", "/orders/checkout/{order_id}"],
  ["stock", "/stock/reserve"],
  ["payment", "/payment/charge"],
] as const;

const [requests, sagas, attempts, appends] = [
  channel("shop:request"),
  channel("shop:saga"),
  channel("redis-occ:attempt"),
  channel("log-replay:append"),
];
const ids = Array.from({ length: 1_000 }, () => randomUUID());
let found = 0;

measure(new Measures());
print("counted for the metrics", count);
print("the traces of its requests", trace);

/** The messages of one checkout; those of a group where it is the last one in it. */
function count(i: number): void {
  for (const [service, route] of ROUTES)
    requests.publish({ service, method: "POST", route, status: 200, ms: 3 + (i % 7) });
  sagas.publish({ saga: "saga", outcome: "paid", ms: 12 });
  if (i % SHARED > 0) return;
  for (const [name] of ROUTES) {
    const started = performance.now();
    const times = { started, ended: performance.now() };
    attempts.publish({ name, outcome: "executed", size: SHARED, transactions: [], ...times });
    appends.publish({ name, store: "store", epoch: 3, commits: SHARED, bytes: 6_000, error: null, ...times });
  }
}

/** The first request makes one of its id, and the others are given it. */
function trace(i: number): void {
  const made = traceOfRequest(ids[i % ids.length] ?? "");
  for (let others = 1; others < ROUTES.length; others++) found += traceIdOf(made)?.length ?? 0;
}

function print(what: string, run: (i: number) => void): void {
  const costs = Array.from({ length: SERIES + 2 }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < CHECKOUTS; i++) run(i);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / CHECKOUTS;
  });
  // The first ones are compiled on their way.
  const sorted = costs.slice(2).sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(part * sorted.length)] ?? NaN).toFixed(2);
  process.stdout.write(`${what.padEnd(28)} ${at(0.5)} µs, quarters below ${at(0.25)} and above ${at(0.75)}\n`);
}

if (found === 0) throw new Error("no trace was found");
