/** The framework, as a process of its own. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { takeLock, type Release } from "../host/lock.ts";

const ROOT = join(import.meta.dirname, "..");
const LOCK = join(ROOT, ".emulator", "packing.lock");
const POLL_MS = 200;

/** @param env on top of this process's own @throws Error with what it said */
export async function osls(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  // It packs into folders of the project: two at once would take each other's archives.
  const removes = args[0] === "remove";
  const release = removes ? () => undefined : await waitForLock();
  try {
    const child = spawn(process.execPath, [join(ROOT, "node_modules", "serverless", "bin", "serverless.js"), ...args], {
      cwd: ROOT,
      env: { ...process.env, ...env, SLS_TELEMETRY_DISABLED: "1", SLS_NOTIFICATIONS_MODE: "off", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C asks for the removal, and must not end it.
      detached: removes,
    });
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`osls ${args.join(" ")} failed:\n${said.trim()}`);
  } finally {
    release();
  }
}

async function waitForLock(): Promise<Release> {
  mkdirSync(dirname(LOCK), { recursive: true });
  let taken = false;
  for (;;) {
    const release = await takeLock(LOCK, { busy: () => "another deployment packs" }).catch(() => undefined);
    if (release !== undefined) return release;
    if (!taken) process.stderr.write("waiting: another deployment from this folder is under way\n");
    taken = true;
    await sleep(POLL_MS);
  }
}
