import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Load, type LoadResult } from "../load/load.ts";
import type { Bench, Row, Scenario } from "../rows.ts";
import { failures, hotItem } from "../scenarios/checkouts.ts";
import { adds, reads } from "../scenarios/one-service.ts";

/** What is wrong with the shop under test. Each of these happens with every tenth request. */
type Lie =
  | "nothing"
  | "an add is lost"
  | "an unpaid order is answered 200"
  | "an item is not taken"
  | "credit is not taken"
  | "a paid order is answered 400"
  | "a read is wrong";

let lie: Lie;
let requests = 0;
const stock: number[] = [];
const credit: number[] = [];
const orders: { items: number[]; user: number; paid: boolean }[] = [];

function fill<T>(rows: T[], count: number, row: (i: number) => T): [status: number, body: unknown] {
  rows.splice(0, Infinity, ...Array.from({ length: count }, (_, i) => row(i)));
  return [200, "done"];
}

/** The smallest shop that the benchmark can measure: one process, nothing kept. */
const server = createServer((request, response) => {
  const [service, call, ...path] = (request.url ?? "").slice(1).split("/");
  const [a = 0, b = 0, c = 0] = path.map(Number);
  const lies = (what: Lie): boolean => lie === what && requests % 10 === 0;
  requests++;
  const answers: Record<string, () => [status: number, body: unknown]> = {
    "stock/batch_init": () => fill(stock, a, () => b),
    "payment/batch_init": () => fill(credit, a, () => b),
    "orders/batch_init": () => fill(orders, a, (i) => ({ items: [i % b, (i + 1) % b], user: i % c, paid: false })),
    "stock/find": () => [200, { stock: (stock[a] ?? 0) + (lies("a read is wrong") ? 1 : 0), price: 5 }],
    "stock/add": () => [200, lies("an add is lost") ? "lost" : (stock[a] = (stock[a] ?? 0) + b)],
    "payment/find_user": () => [200, { credit: credit[a] }],
    "payment/pay": () => [200, (credit[a] = (credit[a] ?? 0) - b)],
    "orders/find": () => [200, { paid: orders[a]?.paid, user_id: String(orders[a]?.user) }],
    "orders/checkout": () => {
      const order = orders[a];
      if (order === undefined || (credit[order.user] ?? 0) < 2) return [400, "refused"];
      if (lies("an unpaid order is answered 200")) return [200, "paid"];
      order.paid = true;
      for (const item of lies("an item is not taken") ? order.items.slice(1) : order.items)
        stock[item] = (stock[item] ?? 0) - 1;
      if (!lies("credit is not taken")) credit[order.user] = (credit[order.user] ?? 0) - 2;
      return lies("a paid order is answered 400") ? [400, "refused"] : [200, "paid"];
    },
  };
  const [status, body] = answers[`${service}/${call}`]?.() ?? [404, null];
  response.statusCode = status;
  response.end(JSON.stringify(body));
});
let bench: Bench;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  bench = { target: { name: "small", url }, load: Load.start(), scale: 0.04, connections: [10], rate: undefined };
});
afterAll(() => {
  bench.load.stop();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = 0;
});

async function measure(scenario: Scenario, wrong: Lie): Promise<Row | undefined> {
  lie = wrong;
  return (await scenario.run(bench))[0];
}

test.each([
  ["hot-item", hotItem],
  ["failures", failures],
  ["adds", adds],
] as const)("%s: a shop that tells the truth is measured, and nothing is said against it", async (_name, scenario) => {
  const row = await measure(scenario, "nothing");
  expect(row?.value).toBeGreaterThan(0);
  expect(row?.untrue).toBeUndefined();
});

test.each([
  ["an unpaid order is answered 200", hotItem, /^order \d+ was answered 200 and is not paid, and \d+ more$/],
  ["a paid order is answered 400", hotItem, /^order \d+ was refused and is paid, and \d+ more$/],
  ["an item is not taken", hotItem, /^orders for 400 items are paid, 380 items are taken, 400 credit is spent$/],
  ["credit is not taken", hotItem, /^orders for 400 items are paid, 400 items are taken, 360 credit is spent$/],
  ["an add is lost", adds, /^400 adds were answered 200, 360 are there$/],
] as const)("where %s, the row says so", async (wrong, scenario, says) => {
  expect((await measure(scenario, wrong))?.untrue).toMatch(says);
});

test.each([
  ["a read is wrong", reads, 540],
  ["an unpaid order is answered 200", hotItem, 180],
  ["an add is lost", adds, 360],
] as const)("where %s, that one does not count", async (wrong, scenario, counted) => {
  const run = jest.spyOn(bench.load, "run");
  const row = await measure(scenario, wrong);
  const { seconds = NaN } = ((await run.mock.results[0]?.value) as LoadResult | undefined) ?? {};
  run.mockRestore();
  expect((row?.value ?? 0) * seconds).toBeCloseTo(counted);
});

test.each([
  ["nothing", 0],
  ["an add is lost", 1],
] as const)("npm run bench, where %s: every figure is printed, and the exit code is %i", async (wrong, code) => {
  lie = wrong;
  const main = join(import.meta.dirname, "..", "main.ts");
  const program = spawn(
    process.execPath,
    [
      main,
      "--target",
      `small=${bench.target.url}`,
      "--scenario",
      "adds",
      "--scenario",
      "reads",
      "--rounds",
      "1",
      "--scale",
      "0.04",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [printed, [exitCode]] = await Promise.all([
    text(program.stdout),
    once(program, "exit") as Promise<[number | null]>,
  ]);
  expect(exitCode).toBe(code);
  expect(printed.includes("NOT TRUE: 400 adds were answered 200, 3")).toBe(code === 1);
  expect(printed).toMatch(/^reads, 50 connections .*\/s/m);
});
