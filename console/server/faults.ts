/** What the page "Break it" can do to a shop of this machine. For demonstrations: CONSOLE_FAULTS=1. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "../../functions/settings/services.ts";
import type { Action } from "./console.ts";

/** @param dataFolder of the shop that is to be hurt */
export function localFaults(dataFolder: string): Record<string, Action> {
  const killNow = (name: string): string => {
    const pid = Number(readFileSync(join(dataFolder, "run", `${name}.pid`), "utf8"));
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error(`there is no ${name} to kill`);
    process.kill(pid, "SIGKILL");
    return `kill -9 ${pid} (${name})`;
  };
  const fault = (title: string, ...names: readonly string[]): Action => ({
    title,
    open: true,
    run: async () => names.map(killNow).join(", "),
  });
  const redis = (service: string): string => `redis-${service}`;
  return {
    "kill-host": fault("Kill the host", "host"),
    ...Object.fromEntries(
      SERVICES.map((service) => [`kill-redis-${service}`, fault(`Kill ${service}'s Redis`, redis(service))]),
    ),
    "kill-all": fault("Kill all of them at once", "host", ...SERVICES.map(redis)),
  };
}
