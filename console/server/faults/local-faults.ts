/** What the page "Break it" can do to a shop of this machine. For demonstrations: CONSOLE_FAULTS=1. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "../../../functions/settings/services.ts";
import type { Action } from "../action.ts";
import type { Happenings } from "../happenings.ts";
import { canFillDisk, fillDisk } from "./full-disk.ts";
import { putOlderBack } from "./older-redis.ts";

/** Milliseconds that a Redis is set back, and that the disk is full. */
const SET_BACK = 3_000;
const FULL = 8_000;

/**
 * @param dataFolder of the shop that is to be hurt
 * @param happenings where a fault that lasts says when it is over
 */
export function localFaults(dataFolder: string, happenings: Pick<Happenings, "add">): Record<string, Action> {
  const run = join(dataFolder, "run");
  const pidOf = (name: string): number => {
    const pid = Number(readFileSync(join(run, `${name}.pid`), "utf8"));
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error(`there is no ${name}`);
    return pid;
  };
  const kill = (title: string, ...names: readonly string[]): Action => ({
    group: "Kill",
    title,
    open: true,
    run: async () =>
      names
        .map((name) => {
          const pid = pidOf(name);
          process.kill(pid, "SIGKILL");
          return `kill -9 ${pid} (${name})`;
        })
        .join(", "),
  });
  const redis = (service: string): string => `redis-${service}`;
  const setBack = (service: string): Action => ({
    group: `Put back as it was ${SET_BACK / 1_000} s ago`,
    title: `${service}'s Redis`,
    open: true,
    run: () => putOlderBack(readFileSync(join(run, `${redis(service)}.url`), "utf8").trim(), SET_BACK),
  });
  const disk: Action = {
    group: `Fill for ${FULL / 1_000} s`,
    title: "the disk",
    open: true,
    run: async () => {
      const tell = (level: "info" | "bad", text: string): void =>
        happenings.add({ at: Date.now(), level, service: null, text });
      const { over } = await fillDisk(pidOf("host"), FULL);
      tell("bad", "the disk is full: nothing can be appended");
      void over.then(
        () => tell("info", "the disk has room again"),
        () => tell("info", "the disk has room again: that host is gone"),
      );
      return "no file of the host can grow, as on a full disk";
    },
  };
  return {
    "kill-host": kill("the host", "host"),
    ...Object.fromEntries(
      SERVICES.map((service) => [`kill-redis-${service}`, kill(`${service}'s Redis`, redis(service))]),
    ),
    "kill-all": kill("all of them at once", "host", ...SERVICES.map(redis)),
    ...(canFillDisk() ? { "fill-disk": disk } : {}),
    ...Object.fromEntries(SERVICES.map((service) => [`set-back-redis-${service}`, setBack(service)])),
  };
}
