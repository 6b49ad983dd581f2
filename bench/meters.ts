import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { SERVICES } from "../host/configuration.ts";
import { type RunningShop } from "../host/running-shop.ts";
import type { Target } from "./target.ts";

/** What the three services have committed so far. */
export interface Commits {
  readonly execs: number;
  /** With DURABILITY=always each was an fdatasync. */
  readonly frames: number;
  /** Milliseconds of CPU that all of its processes have used. */
  readonly cpu: number;
}

/** Null for a shop that the benchmark cannot look into. */
export async function commitsOf({ own }: Target): Promise<Commits | null> {
  return own === undefined ? null : commitsIn(own);
}

export async function commitsIn(shop: RunningShop): Promise<Commits> {
  const execs = await Promise.all(SERVICES.map((service) => execsOf(shop, service)));
  const frames = SERVICES.map((service) => framesIn(shop.logFolder(service)));
  return { execs: sum(execs), frames: sum(frames), cpu: shop.pid > 0 ? wholeOf(shop.pid, cpuMilliseconds) : 0 };
}

/** A note for the table; empty if there is nothing to tell. */
export function perCheckout(before: Commits | null, after: Commits | null, paid: number): { note?: string } {
  if (before === null || after === null || paid === 0) return {};
  const each = (total: number): string => (total / paid).toFixed(2);
  return {
    note: `${each(after.execs - before.execs)} EXECs, ${each(after.frames - before.frames)} fdatasyncs and ${each(after.cpu - before.cpu)} ms of CPU each`,
  };
}

/** Commits of either mode, by EXEC or by the script. Reads are EXECs too. */
async function execsOf(shop: RunningShop, service: (typeof SERVICES)[number]): Promise<number> {
  const redis = new Redis(shop.redisUrl(service));
  const stats = await redis.info("commandstats");
  redis.disconnect();
  return sum([...stats.matchAll(/^cmdstat_(?:exec|evalsha):calls=(\d+)/gm)].map(([, calls]) => Number(calls)));
}

/** In a segment or in the archive, to which the log moves what it no longer needs. */
function framesIn(logFolder: string): number {
  const names = readdirSync(logFolder, { recursive: true, encoding: "utf8" }).filter((name) =>
    /(^|\/)segment-[^/]*\.jsonl$/.test(name),
  );
  return sum(
    names.map(
      (name) =>
        readFileSync(join(logFolder, name), "latin1").match(
          /,"frame":\{"lines":\d+,"bytes":\d+,"crc":"[0-9a-f]{8}"\}\}\n/g,
        )?.length ?? 0,
    ),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Resident megabytes of a process and all that descend from it. */
export function residentMegabytes(pid: number): number {
  return wholeOf(pid, (process) => Number.parseInt(statusOf(String(process), "VmRSS") || "0") / 1_024);
}

/** The sum over a process and all that descend from it. */
function wholeOf(pid: number, measure: (pid: number) => number): number {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(statusOf(name, "PPid"));
    parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const whole = (process: number): number => measure(process) + sum((parents.get(process) ?? []).map(whole));
  return whole(pid);
}

/** Milliseconds of CPU that a process has used, in user and in system mode. */
export function cpuMilliseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return ((user ?? 0) + (system ?? 0)) * 10; // in ticks of 10 ms
}

function statusOf(pid: string, field: string): string {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  } catch {
    return ""; // It ended in the meantime.
  }
}
