/**
 * `node bench/alternate.ts FOLDER [rounds] [connections] [checkout|read]`: what a checkout or a read costs the host here, and
 * what with another copy of the sources, which is ready to serve. Both shops are up at once and get slices of load in turn, so
 * that both have the same hours: the ratios hold on a machine that does other things as well.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type * as running from "../host/running-shop.ts";
import { Load } from "./load/load.ts";
import { range, Shop } from "./shop.ts";

const ROWS = 1_000;
/** Requests of a slice: about as long for both. */
const SLICES = { checkout: 300, read: 1_500 } as const;
const WARM_UP = 3;

const [other, rounds = "90", connections = "50", what = "checkout"] = process.argv.slice(2);
if (other === undefined) throw new Error("which other copy of the sources?");
if (what !== "checkout" && what !== "read") throw new Error(`${what} is neither checkout nor read`);
const size = SLICES[what];
const count = WARM_UP + Number(rounds);

const shops: running.RunningShop[] = [];
const load = Load.start();
try {
  for (const [i, folder] of [join(import.meta.dirname, ".."), resolve(other)].entries())
    shops.push(await open(folder, i));
  const costs: [here: number, there: number][] = [];
  for (let round = 0; round < count; round++) {
    const cost: [number, number] = [0, 0];
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0])
      cost[i as 0 | 1] = await slice(shops[i] as running.RunningShop, round);
    if (round >= WARM_UP) costs.push(cost);
  }
  const sum = (which: 0 | 1): number => costs.reduce((total, cost) => total + cost[which], 0);
  const ratios = costs.map(([here, there]) => here / there).sort((a, b) => a - b);
  const at = (part: number): string => (ratios[Math.floor(part * ratios.length)] ?? NaN).toFixed(3);
  const each = (total: number): string => (total / costs.length / size).toFixed(3);
  process.stdout.write(
    `CPU of the host for a ${what}: ${each(sum(0))} ms here, ${each(sum(1))} there; ` +
      `here/there in ${costs.length} pairs: half below ${at(0.5)}, quarters below ${at(0.25)} and above ${at(0.75)}, in all ${(sum(0) / sum(1)).toFixed(3)}\n`,
  );
} finally {
  load.stop();
  for (const shop of shops) {
    await shop.stop();
    shop.removeData();
  }
}

async function open(folder: string, i: number): Promise<running.RunningShop> {
  const { startShop } = (await import(pathToFileURL(join(folder, "host", "running-shop.ts")).href)) as typeof running;
  const shop = await startShop("serve", Number(process.env["HTTP_PORT"] || 8_600) + 2 * i);
  const target = { name: folder, url: shop.url };
  await new Shop({ target, load }).fill({ items: ROWS, users: ROWS, orders: what === "checkout" ? count * size : 1 });
  return shop;
}

/** @returns milliseconds of CPU */
async function slice(shop: running.RunningShop, round: number): Promise<number> {
  const pid = shop.pidOf("host");
  const before = nanoseconds(pid);
  const numbers = range(size).map((i) => round * size + i);
  const requests =
    what === "checkout"
      ? { method: "POST" as const, paths: numbers.map((n) => `/orders/checkout/${n}`) }
      : { method: "GET" as const, paths: numbers.map((n) => `/stock/find/${n % ROWS}`) };
  await load.run({ url: shop.url, connections: Number(connections), ...requests });
  return (nanoseconds(pid) - before) / 1e6;
}

/** The CPU time of all threads of a process, exact to the nanosecond; /proc/PID/stat has hundredths of seconds only. */
function nanoseconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [ran = "0"] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    return sum + Number(ran);
  }, 0);
}
