import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";

/** How often the Redis server has run EXEC since it was started. */
export async function execs(redisUrl: string): Promise<number> {
  const redis = new Redis(redisUrl);
  const stats = await redis.info("commandstats");
  redis.disconnect();
  return Number(/^cmdstat_exec:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
}

/** How many frames a log has: with DURABILITY=always, each was an fdatasync. */
export function frames(logFolder: string): number {
  const segments = readdirSync(logFolder).filter((name) => name.startsWith("segment-"));
  return segments.reduce((sum, name) => sum + (readFileSync(join(logFolder, name), "latin1").match(/,"frame":\{"lines":\d+,"bytes":\d+,"crc":"[0-9a-f]{8}"\}\}\n/g)?.length ?? 0), 0);
}

/** Resident megabytes of a process and all that descend from it. */
export function residentMegabytes(pid: number): number {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(statusOf(name, "PPid"));
    parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const sum = (process: number): number =>
    Number.parseInt(statusOf(String(process), "VmRSS") || "0") / 1_024 + (parents.get(process) ?? []).reduce((total, child) => total + sum(child), 0);
  return sum(pid);
}

/** Milliseconds of CPU that a process has used, in user and in system mode. */
export function cpuMilliseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) * 10; // in ticks of 10 ms
}

function statusOf(pid: string, field: string): string {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  } catch {
    return ""; // It ended in the meantime.
  }
}
