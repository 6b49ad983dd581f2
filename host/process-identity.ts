/** Which process a pid means. Pids are recycled; a pid together with the moment of the process's start is not. */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";

export interface ProcessIdentity {
  pid: number;
  /** Where the pid means something: one boot of one machine, and in it one container. */
  place: string;
  /** Opaque: equal for the same process, different for the next one with its pid. */
  started: string;
}

/** Undefined where no such process lives (a zombie does not count). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === undefined ? undefined : { pid, place: ownPlace(), started };
}

/** Whether the process can be seen from here at all. */
export function isHere({ place }: ProcessIdentity): boolean {
  return place === ownPlace();
}

/** False for a process of another place as well. */
export function isAlive(identity: ProcessIdentity): boolean {
  return isHere(identity) && identify(identity.pid)?.started === identity.started;
}

let own: string | undefined;

function ownPlace(): string {
  return (own ??=
    process.platform === "linux"
      ? `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${readlinkSync("/proc/self/ns/pid")}`
      : process.platform);
}

export function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== "object" || value === null) return false;
  const { pid, place, started } = value as Partial<ProcessIdentity>;
  return Number.isInteger(pid) && Number(pid) > 0 && typeof place === "string" && typeof started === "string";
}

/** Start in ticks since boot (field 22 of stat). The name in field 2 may hold spaces and brackets. */
function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return fields[19];
  } catch {
    return undefined;
  }
}

function startedByPs(pid: number): string | undefined {
  try {
    return (
      execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}
