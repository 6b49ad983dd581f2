/**
 * A disk without room, for one process alone: the kernel refuses to let any of its files grow (`RLIMIT_FSIZE`). It answers
 * EFBIG where a full disk answers ENOSPC; whoever appends can do as little about either.
 */
import { execFile, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const PRLIMIT = "prlimit";
const run = promisify(execFile);

/** True on Linux with util-linux. */
export function canFillDisk(): boolean {
  return process.platform === "linux" && spawnSync(PRLIMIT, ["--version"]).status === 0;
}

/**
 * Resolves once the disk is full.
 * @param milliseconds for how long
 * @returns resolves when it has room again, rejects where the process is gone by then
 */
export async function fillDisk(pid: number, milliseconds: number): Promise<{ readonly over: Promise<void> }> {
  const limit = async (...options: readonly string[]): Promise<string> =>
    (await run(PRLIMIT, ["--pid", String(pid), ...options])).stdout.trim();
  const before = await limit("--fsize", "--raw", "--noheadings", "--output", "SOFT");
  // Only the soft limit: the hard one could not be raised again.
  await limit("--fsize=0:");
  const over = sleep(milliseconds).then(async () => void (await limit(`--fsize=${before}:`)));
  return { over };
}
