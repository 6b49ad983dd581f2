/**
 * `node bench/cost.ts [serve|events|start] [connections] [checkouts]`: what a checkout costs on a shop of its own, in CPU time
 * and in counts. Unlike rates, these hold on a machine that does other things as well. It also tells the cost of a
 * request that its function refuses at once (403), and of a read.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "../host/configuration.ts";
import type { RunningShop } from "../host/running-shop.ts";
import { figures } from "./load/figures.ts";
import { Load } from "./load/load.ts";
import { commitsIn, cpuMilliseconds, residentMegabytes, type Commits } from "./meters.ts";
import { range, Shop } from "./shop.ts";
import { openTarget } from "./target.ts";

const ROWS = 1_000;
const WARM_UP = 2_000;

const connections = Number(process.argv[3] ?? 50);
const count = Number(process.argv[4] ?? 5_000);

const target = await openTarget(process.argv[2] ?? "serve", Number(process.env["HTTP_PORT"] || 8_600));
const { own: shop } = target;
if (shop === undefined) throw new TypeError("it looks into the processes of a shop of its own: serve, events or start");
const load = Load.start();
try {
  print("idle memory of npm and all below it", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
  await new Shop({ target, load }).fill({ items: ROWS, users: ROWS, orders: count + WARM_UP });
  await load.run({
    url: shop.url,
    method: "POST",
    connections,
    paths: range(WARM_UP).map((i) => `/orders/checkout/${i}`),
  });
  await measure(shop, "a refused request", "POST", () => "/stock/reserve");
  await measure(shop, "a read", "GET", (i) => `/stock/find/${i % ROWS}`);
  await measure(shop, "a checkout", "POST", (i) => `/orders/checkout/${WARM_UP + i}`);
  print("memory after the load", `${residentMegabytes(shop.pid).toFixed(0)} MB`);
} finally {
  load.stop();
  await shop.stop();
  shop.removeData();
}

async function measure(
  running: RunningShop,
  what: string,
  method: "GET" | "POST",
  path: (i: number) => string,
): Promise<void> {
  const before = await counters(running);
  const result = await load.run({ url: running.url, method, connections, paths: range(count).map(path) });
  const after = await counters(running);
  const { perSecond, latency, statuses, clientLoad } = figures(result, count);
  const each = (name: keyof Counters): string => ((after[name] - before[name]) / count).toFixed(3);
  print(
    `${what} at ${connections} connections`,
    `${each("host")} ms of CPU in the host, ${each("redis")} in the three Redis, ${each("queues")} in the queue server, ${((clientLoad * 1_000) / perSecond).toFixed(3)} in the client; ${each("execs")} EXECs, ` +
      `${each("frames")} fdatasyncs; ${perSecond.toFixed(0)}/s, p50 ${latency.p50.toFixed(1)} ms, p99 ${latency.p99.toFixed(1)} ms; statuses ${JSON.stringify(statuses)}`,
  );
}

interface Counters extends Commits {
  readonly host: number;
  readonly redis: number;
  /** 0 where there is none. */
  readonly queues: number;
}

async function counters(running: RunningShop): Promise<Counters> {
  const { dataFolder } = running;
  const cpuOf = (name: string): number => {
    const file = join(dataFolder, "run", `${name}.pid`);
    return existsSync(file) ? cpuMilliseconds(Number(readFileSync(file, "utf8"))) : 0;
  };
  const redis = SERVICES.reduce((total, service) => total + cpuOf(`redis-${service}`), 0);
  return { host: cpuOf("host"), redis, queues: cpuOf("queues"), ...(await commitsIn(running)) };
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(42)} ${figure}\n`);
}
