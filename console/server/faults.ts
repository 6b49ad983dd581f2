/** What the page "Break it" can do to a shop of this machine. For demonstrations: CONSOLE_FAULTS=1. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Action } from "./console.ts";

const SERVICES = ["order", "stock", "payment"] as const;

/** @param dataFolder of the shop that is to be hurt */
export function localFaults(dataFolder: string): Record<string, Action> {
  const kill = (name: string, title: string): Action => ({
    title,
    open: true,
    run: async () => {
      const pid = Number(readFileSync(join(dataFolder, "run", `${name}.pid`), "utf8"));
      if (!Number.isSafeInteger(pid) || pid < 2) throw new Error(`there is no ${name} to kill`);
      process.kill(pid, "SIGKILL");
      return `kill -9 ${pid} (${name})`;
    },
  });
  return {
    "kill-host": kill("host", "Kill the host"),
    ...Object.fromEntries(
      SERVICES.map((service) => [`kill-redis-${service}`, kill(`redis-${service}`, `Kill ${service}'s Redis`)]),
    ),
  };
}
