import type { Visit } from "../explorer.ts";
import type { Decisions } from "./decisions.ts";
import type { LogFlaw } from "./flaws.ts";
import type { LogState } from "./state.ts";

/** One request: `C` commits to its key, `R` reads it, `K` compacts. */
export interface Operation {
  readonly kind: "commit" | "read" | "compact";
  /** The transaction's letter; "" where it is none. */
  readonly tx: string;
  readonly key: string;
}

export const FAULTS = [
  "putback",
  "follow",
  "attach",
  "failover",
  "oldlog",
  "crash",
  "lost",
  "stale",
  "reply",
  "theft",
  "append",
  "power",
  "half",
] as const;
export type Fault = (typeof FAULTS)[number];

/** What does not change while a model runs. */
export interface World {
  /** By process and lane. */
  readonly programs: readonly (readonly (readonly Operation[])[])[];
  readonly flaws: ReadonlySet<LogFlaw>;
  readonly decisions: Decisions;
  /** The key that each transaction writes. */
  readonly keyOf: ReadonlyMap<string, string>;
  /** True if names and begins can be lost; their syncs are then steps. */
  readonly power: boolean;
  /** True if somebody compacts; reading the log then takes two steps. */
  readonly compacts: boolean;
}

export type Steps = (world: World, state: LogState, visit: Visit<LogState>) => void;

export function isLeft(state: LogState, fault: Fault): boolean {
  return (state.budget[FAULTS.indexOf(fault)] as number) > 0;
}

export function spend(state: LogState, fault: Fault): LogState {
  const index = FAULTS.indexOf(fault);
  return { ...state, budget: state.budget.map((left, i) => (i === index ? left - 1 : left)) };
}

/** `A1`, `B2`: process and lane as traces name them. The lane is left out if there is only one. */
export function nameOf(world: World, p: number, l?: number): string {
  const lanes = (world.programs[p] as readonly unknown[]).length;
  return String.fromCharCode(65 + p) + (l === undefined || lanes === 1 ? "" : String(l + 1));
}
