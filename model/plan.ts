/** What there is to be explored, and whether it turns out as it should. */
import { explore, type Limits, type Model, type Result } from "./explorer.ts";
import { EVENT_CONFIGURATIONS, EVENT_MUTANTS } from "./events/configurations.ts";
import type { EventFlaw } from "./events/flaws.ts";
import { eventModel } from "./events/model.ts";
import type { Invariant } from "./invariants.ts";
import { LOG_CONFIGURATIONS, LOG_MUTANTS } from "./log/configurations.ts";
import type { LogFlaw } from "./log/flaws.ts";
import { logModel } from "./log/model.ts";
import { SAGA_CONFIGURATIONS, SAGA_MUTANTS } from "./saga/configurations.ts";
import type { SagaFlaw } from "./saga/flaws.ts";
import { sagaModel } from "./saga/model.ts";

export const PARTS = ["log", "saga", "events"] as const;
export type Part = (typeof PARTS)[number];

export interface Outcome {
  readonly kind: "configuration" | "mutant";
  readonly name: string;
  readonly result: Result;
  readonly asExpected: boolean;
}

/** An exploration that is made when its turn comes. */
export interface Planned {
  readonly kind: Outcome["kind"];
  readonly name: string;
  readonly run: (limits: Limits) => Outcome;
}

/** All invariants hold in every state that was visited. */
export function configuration<S>(name: string, make: () => Model<S>): Planned {
  const kind = "configuration";
  return {
    kind,
    name,
    run: (limits) => {
      const result = explore(make(), limits);
      return { kind, name, result, asExpected: result.counterexample === null };
    },
  };
}

/**
 * A counterexample is found, and it breaks the invariant that it is known to break. It is due to the flaw: without the
 * flaw nothing is broken to that depth.
 */
function mutant<S>(name: string, breaks: Invariant, make: (withFlaw: boolean) => Model<S>): Planned {
  const kind = "mutant";
  return {
    kind,
    name,
    run: (limits) => {
      const result = explore(make(true), limits);
      const isFound = result.counterexample?.violation.invariant === breaks;
      // Only once all has been visited is it known that something never settles.
      const same = breaks === "7 settles by itself" ? limits : { maxDepth: result.depth, settling: false };
      return { kind, name, result, asExpected: isFound && explore(make(false), same).counterexample === null };
    },
  };
}

export function configurations(part: Part): Planned[] {
  if (part === "saga")
    return Object.entries(SAGA_CONFIGURATIONS).map(([name, its]) => configuration(name, () => sagaModel(its)));
  if (part === "events")
    return Object.entries(EVENT_CONFIGURATIONS).map(([name, its]) => configuration(name, () => eventModel(its)));
  return Object.entries(LOG_CONFIGURATIONS).map(([name, its]) => configuration(name, () => logModel(its)));
}

export function mutants(part: Part): Planned[] {
  if (part === "saga") {
    return Object.entries(SAGA_MUTANTS).map(([flaw, { breaks, ...its }]) =>
      mutant(flaw, breaks, (withFlaw) => sagaModel(withFlaw ? { ...its, flaw: flaw as SagaFlaw } : its)),
    );
  }
  if (part === "events") {
    return Object.entries(EVENT_MUTANTS).map(([flaw, { breaks, ...its }]) =>
      mutant(flaw, breaks, (withFlaw) => eventModel(withFlaw ? { ...its, flaw: flaw as EventFlaw } : its)),
    );
  }
  return Object.entries(LOG_MUTANTS).map(([flaw, { breaks, ...its }]) =>
    mutant(flaw, breaks, (withFlaw) => logModel(withFlaw ? { ...its, flaw: flaw as LogFlaw } : its)),
  );
}
