/**
 * `node bench/cost.ts [serve|start] [connections] [checkouts]`: what a checkout costs on a shop of its own, in CPU time
 * and in counts. Unlike rates these hold on a machine that does other things as well. Beside it, the cost of a request
 * that its function refuses at once (403), and of a read.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { closedLoop, percentile, type LoopResult } from "./closed-loop.ts";
import { cpuMilliseconds, execs, frames, residentMegabytes } from "./meters.ts";
import { SERVICES, startShop } from "./running-shop.ts";

const ROWS = 1_000;
const WARM_UP = 2_000;

const script = process.argv[2] === "start" ? "start" : "serve";
const connections = Number(process.argv[3] ?? 50);
const count = Number(process.argv[4] ?? 5_000);

const shop = await startShop(Number(process.env["HTTP_PORT"] ?? 8_600), script);
try {
  print("idle memory of npm and all below it", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
  for (const path of [`/stock/batch_init/${ROWS}/1000000000/1`, `/payment/batch_init/${ROWS}/1000000000`, `/orders/batch_init/${count + WARM_UP}/${ROWS}/${ROWS}/1`]) {
    const { status } = await fetch(shop.url + path, { method: "POST" });
    if (status !== 200) throw new Error(`${path}: ${status}`);
  }
  await closedLoop({ url: shop.url, connections, count: WARM_UP, path: (i) => `/orders/checkout/${i}` });
  await measure("a refused request", () => closedLoop({ url: shop.url, connections, count, path: () => "/stock/reserve" }));
  await measure("a read", () => closedLoop({ url: shop.url, connections, count, method: "GET", path: (i) => `/stock/find/${i % ROWS}` }));
  await measure("a checkout", () => closedLoop({ url: shop.url, connections, count, path: (i) => `/orders/checkout/${WARM_UP + i}` }));
  print("memory after the load", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
} finally {
  await shop.stop();
  shop.removeData();
}

async function measure(what: string, load: () => Promise<LoopResult>): Promise<void> {
  const before = await counters();
  const client = process.cpuUsage();
  const { seconds, statuses, latencies } = await load();
  const own = process.cpuUsage(client);
  const after = await counters();
  const each = (name: keyof typeof after): string => ((after[name] - before[name]) / count).toFixed(3);
  print(
    `${what} at ${connections} connections`,
    `${each("host")} ms of CPU in the host, ${each("redis")} in the three Redis, ${((own.user + own.system) / 1_000 / count).toFixed(3)} in the client; ` +
      `${each("execs")} EXECs, ${each("frames")} fdatasyncs; ${(count / seconds).toFixed(0)}/s, p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms; ` +
      `statuses ${JSON.stringify(Object.fromEntries(statuses))}`,
  );
}

async function counters(): Promise<{ host: number; redis: number; execs: number; frames: number }> {
  const total = { host: cpuMilliseconds(pid("host")), redis: 0, execs: 0, frames: 0 };
  for (const service of SERVICES) {
    total.redis += cpuMilliseconds(pid(`redis-${service}`));
    total.execs += await execs(shop.redisUrl(service));
    total.frames += frames(join(shop.dataFolder, "log", service));
  }
  return total;
}

function pid(name: string): number {
  return Number(readFileSync(join(shop.dataFolder, "run", `${name}.pid`), "utf8"));
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(42)} ${figure}\n`);
}
