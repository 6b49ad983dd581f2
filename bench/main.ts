/**
 * `npm run bench`: what the shop does through serverless-offline, with an fsync before every answer. It starts a shop of
 * its own. Timings are of this machine and this moment; each stands beside what the same server does with an empty
 * handler in the same run.
 */
import { join } from "node:path";
import { closedLoop, percentile, type LoopResult } from "./closed-loop.ts";
import { execs, frames, residentMegabytes } from "./meters.ts";
import { measureReplay } from "./replay.ts";
import { SERVICES } from "../host/configuration.ts";
import { startShop, type RunningShop } from "../host/running-shop.ts";

const ORDERS = 100_000;
const ITEMS = 1_000;
const USERS = 1_000;
const WARM_UP = 2_000;
const ROUNDS = [
  { connections: 50, count: 5_000 },
  { connections: 10, count: 3_000 },
];
/** Requests that a checkout makes: itself, reserve, charge. */
const PASSES = 3;

const port = Number(process.env["HTTP_PORT"] ?? 8_500);
const shop = await startShop(port);
try {
  print("idle memory of npm start and all below it", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
  await timed(`batch_init of ${ITEMS} items`, `/stock/batch_init/${ITEMS}/1000000000/1`);
  await timed(`batch_init of ${USERS} users`, `/payment/batch_init/${USERS}/1000000000`);
  await timed(`batch_init of ${ORDERS} orders`, `/orders/batch_init/${ORDERS}/${ITEMS}/${USERS}/1`);

  let from = 0;
  const take = (count: number): number => (from += count) - count;
  await checkouts(50, WARM_UP, take(WARM_UP));
  for (const { connections, count } of ROUNDS) {
    const empty = await closedLoop({ url: shop.url, connections, count: PASSES * count, path: () => "/stock/reserve" });
    const before = await counters(shop);
    const first = take(count);
    const result = await checkouts(connections, count, first);
    const after = await counters(shop);
    const paid = await verify(result.succeeded.map((i) => first + i));
    const perSecond = paid / result.seconds;
    const passes = (PASSES * count) / empty.seconds;
    print(
      `checkouts at ${connections} connections`,
      `${perSecond.toFixed(0)}/s verified, p50 ${percentile(result.latencies, 0.5).toFixed(1)} ms, p99 ${percentile(result.latencies, 0.99).toFixed(1)} ms, ` +
        `${((after.execs - before.execs) / paid).toFixed(2)} EXECs and ${((after.frames - before.frames) / paid).toFixed(2)} fdatasyncs each; statuses ${statuses(result)}`,
    );
    print("  beside an empty handler", `${passes.toFixed(0)} requests/s, so ${((100 * perSecond * PASSES) / passes).toFixed(0)} % of ${PASSES} empty passes a checkout`);
  }
  await conservation();
  print("memory after the load", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
} finally {
  await shop.stop();
}
const replay = await measureReplay(join(shop.dataFolder, "log", "order"));
print("replay of the order log into an empty Redis", `${replay.records} records, ${replay.keys} keys: ${replay.seconds.toFixed(2)} s`);
shop.removeData();

async function checkouts(connections: number, count: number, first: number): Promise<LoopResult> {
  return closedLoop({ url: shop.url, connections, count, path: (i) => `/orders/checkout/${first + i}` });
}

async function timed(what: string, path: string): Promise<void> {
  const started = performance.now();
  const response = await fetch(shop.url + path, { method: "POST" });
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  print(what, `${((performance.now() - started) / 1_000).toFixed(2)} s`);
}

/** How many of the orders really are paid. @throws Error where one that was answered 200 is not */
async function verify(orders: readonly number[]): Promise<number> {
  for (const id of orders) {
    const found = (await (await fetch(`${shop.url}/orders/find/${id}`)).json()) as { paid: boolean };
    if (!found.paid) throw new Error(`order ${id} was answered 200 and is not paid`);
  }
  return orders.length;
}

/** @throws Error where credit and stock do not agree with each other: every item costs 1 */
async function conservation(): Promise<void> {
  const sum = async (path: (i: number) => string, count: number, field: string): Promise<number> => {
    let total = 0;
    for (let i = 0; i < count; i++) total += 1_000_000_000 - Number(((await (await fetch(shop.url + path(i))).json()) as Record<string, number>)[field]);
    return total;
  };
  const sold = await sum((i) => `/stock/find/${i}`, ITEMS, "stock");
  const spent = await sum((i) => `/payment/find_user/${i}`, USERS, "credit");
  if (sold !== spent) throw new Error(`${sold} items were sold and ${spent} credit was spent`);
  print("conservation", `${sold} items sold, ${spent} credit spent`);
}

async function counters({ redisUrl, dataFolder }: RunningShop): Promise<{ execs: number; frames: number }> {
  const total = { execs: 0, frames: 0 };
  for (const service of SERVICES) {
    total.execs += await execs(redisUrl(service));
    total.frames += frames(join(dataFolder, "log", service));
  }
  return total;
}

function statuses({ statuses }: LoopResult): string {
  return [...statuses].map(([status, count]) => `${status}: ${count}`).join(", ");
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(46)} ${figure}\n`);
}
