import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { figures } from "../load/figures.ts";
import { residentMegabytes } from "../meters.ts";
import { measureReplay } from "../replay.ts";
import type { Bench, Scenario } from "../rows.ts";
import type { RunningShop } from "../../host/running-shop.ts";
import { range, Shop } from "../shop.ts";

export const idleMemory: Scenario = {
  name: "idle-memory",
  about: "resident memory of all that the script started, before it has done anything",
  needsOwn: true,
  once: true,
  run: (bench) => Promise.resolve([{ what: "idle memory of everything", value: residentMegabytes(own(bench).pid), unit: "MB" }]),
};

export const replay: Scenario = {
  name: "replay",
  about: "the order service's log, as it is by now, into an empty Redis",
  needsOwn: true,
  async run(bench) {
    // Of a copy: who restores a log ends the epoch of whoever works on it, and the shop would have to restore as well.
    const copy = await mkdtemp(join(tmpdir(), "replay-"));
    try {
      await copyLog(own(bench).logFolder("order"), copy);
      const { records, keys, seconds } = await measureReplay(copy);
      return [{ what: "replay of the order log", value: seconds, unit: "s", note: `${records.toLocaleString("en")} records, ${keys.toLocaleString("en")} keys` }];
    } finally {
      await rm(copy, { recursive: true });
    }
  },
};

/** Again where a compaction has moved a file meanwhile. */
async function copyLog(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await cp(from, to, { recursive: true });
    } catch (error) {
      if (tries === 5 || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      await rm(to, { recursive: true });
    }
  }
}

export const coldStart: Scenario = {
  name: "cold-start",
  about: "the script stopped and started again on its data; a Redis killed",
  needsOwn: true,
  once: true,
  async run(bench) {
    const shop = own(bench);
    await new Shop(bench).post("/stock/batch_init/1000/7/5");
    await shop.stop();
    const stopped = performance.now();
    await shop.start();
    const ready = (performance.now() - stopped) / 1_000;

    process.kill(shop.pidOf("redis-stock"), "SIGKILL");
    const killed = performance.now();
    while ((await fetch(`${shop.url}/stock/find/0`).catch(() => null))?.status !== 200) await sleep(5);
    return [
      { what: "start on existing data, until ready", value: ready, unit: "s" },
      { what: "a Redis killed, until it answers again", value: (performance.now() - killed) / 1_000, unit: "s" },
    ];
  },
};

export const endurance: Scenario = {
  name: "endurance",
  about: "100,000 checkouts in a row: the rate at the end against that at the start, and the memory",
  needsOwn: true,
  once: true,
  async run(bench) {
    const shop = new Shop(bench);
    const rounds = 10;
    const each = Math.round(10_000 * bench.scale);
    const rates: number[] = [];
    const megabytes: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await shop.post("/stock/batch_init/1000/1000000000/1");
      await shop.post("/payment/batch_init/1000/1000000000");
      await shop.post(`/orders/batch_init/${each}/1000/1000/1`);
      const result = await bench.load.run({ url: bench.target.url, method: "POST", connections: 50, paths: range(each).map((id) => `/orders/checkout/${id}`) });
      const orders = await shop.read<{ paid: boolean }>(range(each).map((id) => `/orders/find/${id}`));
      rates.push(figures(result, orders.filter(({ paid }, id) => paid && result.statuses[id] === 200).length).perSecond);
      megabytes.push(residentMegabytes(own(bench).pid));
    }
    const total = (rounds * each).toLocaleString("en");
    return [
      { what: "checkouts, the first tenth of many", value: rates[0] ?? NaN, unit: "/s" },
      { what: "checkouts, the last tenth of many", value: rates.at(-1) ?? NaN, unit: "/s", note: `of ${total}` },
      { what: "memory after the first tenth", value: megabytes[0] ?? NaN, unit: "MB" },
      { what: "memory after the last tenth", value: megabytes.at(-1) ?? NaN, unit: "MB", note: `after ${total} checkouts` },
    ];
  },
};

function own({ target }: Bench): RunningShop {
  if (target.own === undefined) throw new Error(`${target.name} was not started by the benchmark`);
  return target.own;
}
