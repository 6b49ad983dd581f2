import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Names this process, in a segment's name: `<where>-<pid>-<start>`. `where` stands for one process table (machine, boot
 * and pid namespace), so that a reader in the same one can tell whether the writer still runs.
 */
export interface WriterIdentity {
  readonly where: string;
  readonly pid: number;
  /** Start time of the process in clock ticks since boot. A recycled pid has another one. */
  readonly start: string;
}

export function ownIdentity(): WriterIdentity {
  const table = [hostname(), read("/proc/sys/kernel/random/boot_id"), link("/proc/self/ns/pid")].join();
  return {
    where: createHash("sha256").update(table).digest("hex").slice(0, 8),
    pid: process.pid,
    start: startTime(process.pid) ?? "0",
  };
}

/** True only if the writer is certain to be gone: it ran here, and its process no longer does. */
export function isGone(writer: WriterIdentity): boolean {
  const own = ownIdentity();
  if (writer.where !== own.where || writer.start === "0") return false;
  return startTime(writer.pid) !== writer.start;
}

/** Field 22 of /proc/PID/stat; null if there is no such process, or no such file system. */
function startTime(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may contain anything.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
