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
  run: (bench) =>
    Promise.resolve([{ what: "idle memory of everything", value: residentMegabytes(own(bench).pid), unit: "MB" }]),
};

export const replay: Scenario = {
  name: "replay",
  about: "the order service's log, as it is by now, into an empty Redis",
  needsOwn: true,
  async run(bench) {
    // It restores a copy: whoever restores a log ends the epoch of whoever works on it, and the shop would have to
    // restore too.
    const copy = await mkdtemp(join(tmpdir(), "replay-"));
    try {
      await copyLog(own(bench).logFolder("order"), copy);
      const { records, keys, seconds } = await measureReplay(copy);
      return [
        {
          what: "replay of the order log",
          value: seconds,
          unit: "s",
          note: `${records.toLocaleString("en")} records, ${keys.toLocaleString("en")} keys`,
        },
      ];
    } finally {
      await rm(copy, { recursive: true });
    }
  },
};

/** It starts again if a compaction has moved a file meanwhile. */
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

/**
 * Checkouts before the first measurement. Meanwhile V8 compiles, and its heap grows to the size that the load needs.
 */
const WARM_UP = 20_000;

export const endurance: Scenario = {
  name: "endurance",
  about: "100,000 checkouts in a row: the rate and the memory before and after",
  needsOwn: true,
  once: true,
  async run(bench) {
    const round = async (size: number): Promise<{ rate: number; megabytes: number }> => {
      const shop = new Shop(bench);
      await shop.fill({ items: 1_000, users: 1_000, orders: size });
      const result = await bench.load.run({
        url: bench.target.url,
        method: "POST",
        connections: 50,
        paths: range(size).map((id) => `/orders/checkout/${id}`),
      });
      const orders = await shop.read<{ paid: boolean }>(range(size).map((id) => `/orders/find/${id}`));
      const verified = orders.filter(({ paid }, id) => paid && result.statuses[id] === 200).length;
      return { rate: figures(result, verified).perSecond, megabytes: residentMegabytes(own(bench).pid) };
    };
    const size = Math.round(10_000 * bench.scale);
    await round(Math.round(WARM_UP * bench.scale));
    const before = await round(size);
    for (let i = 1; i < 10; i++) await round(size);
    const after = await round(size);
    const note = `${(10 * size).toLocaleString("en")} checkouts later`;
    return [
      { what: "checkouts, before many", value: before.rate, unit: "/s" },
      { what: "checkouts, after many", value: after.rate, unit: "/s", note },
      { what: "memory before many checkouts", value: before.megabytes, unit: "MB" },
      { what: "memory after many checkouts", value: after.megabytes, unit: "MB", note },
    ];
  },
};

function own({ target }: Bench): RunningShop {
  if (target.own === undefined) throw new Error(`${target.name} was not started by the benchmark`);
  return target.own;
}
