/** Every fail point of the code, whichever package it is in. */
import { LOG_FAIL_POINTS } from "log-replay/fail-points";
import { OCC_FAIL_POINTS, type FailPointKind } from "redis-occ/fail-points";
import { EVENT_FAIL_POINTS, SHOP_FAIL_POINTS } from "../../../functions/fail-points.ts";
import { BY_EVENTS } from "../../support/saga-mode.ts";

export const FAIL_POINTS = { ...OCC_FAIL_POINTS, ...LOG_FAIL_POINTS, ...SHOP_FAIL_POINTS, ...EVENT_FAIL_POINTS };

/** Those that a shop in this mode comes by: calls between the services, or messages. */
export function pointsOfMode(): readonly FailPoint[] {
  const others = BY_EVENTS ? /^call[.]/ : /^event[.]/;
  return (Object.keys(FAIL_POINTS) as FailPoint[]).filter((point) => !others.test(point));
}

export type FailPoint = keyof typeof FAIL_POINTS;

/**
 * - `kill`: SIGKILL
 * - `delay`: 250 ms pass, as many as `delay=MS` says
 * - `drop`: the answer is lost, as when a connection breaks
 * - `EIO`, `ENOSPC`: the file system refuses the work
 * - `short`: the next write takes a part and fails with ENOSPC
 * - `torn`: the next write takes a part, and the process is killed
 */
export type Action = "kill" | "delay" | "drop" | "EIO" | "ENOSPC" | "short" | "torn";

const BY_KIND: Readonly<Record<FailPointKind, readonly Action[]>> = {
  plain: ["kill", "delay"],
  drop: ["kill", "delay", "drop"],
  disk: ["kill", "delay", "EIO", "ENOSPC"],
};

export function actionsAt(point: FailPoint): readonly Action[] {
  return [...BY_KIND[FAIL_POINTS[point]], ...(point === "append.before" ? (["short", "torn"] as const) : [])];
}

/**
 * What is to happen at a place: at the `nth` time that the process comes by, counted from when it was told; 0 for every
 * time.
 */
export interface Fault {
  readonly point: FailPoint;
  readonly action: Action;
  readonly nth: number;
  /** Milliseconds, of `delay`. */
  readonly ms?: number;
}

/** `name:action:nth`, several separated by commas: the form of FAIL_POINT. */
export function formatFaults(faults: readonly Fault[]): string {
  return faults
    .map(({ point, action, nth, ms }) => `${point}:${action}${ms === undefined ? "" : `=${ms}`}:${nth}`)
    .join();
}

/** @throws Error for what is no fault */
export function parseFaults(text: string): Fault[] {
  return text
    .split(",")
    .filter(Boolean)
    .map((part) => {
      const [point = "", what = "", nth = "1"] = part.split(":");
      const [action = "", ms] = what.split("=");
      if (!(point in FAIL_POINTS) || !actionsAt(point as FailPoint).includes(action as Action) || !/^\d+$/.test(nth)) {
        throw new Error(`FAIL_POINT: "${part}" is not NAME:ACTION:NTH of a fail point that knows the action`);
      }
      return {
        point: point as FailPoint,
        action: action as Action,
        nth: Number(nth),
        ...(ms === undefined ? {} : { ms: Number(ms) }),
      };
    });
}
