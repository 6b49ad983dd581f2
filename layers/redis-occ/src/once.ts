import { entriesOf } from "./entries.ts";
import type { Decide, Decision } from "./rule.ts";

/** Milliseconds that a result is kept where the caller does not say: a day. */
export const ONCE_TTL = 24 * 3_600_000;

/** Where the result of the first transaction with an id is kept. */
export function markerOf(id: string): string {
  return `once:${id}`;
}

/**
 * The rule, which runs only where no transaction with this marker took effect, and then leaves its result there.
 * @param ttl milliseconds that the result is kept; null for ever
 * @throws TypeError for a `ttl` that is none
 */
export function onceOnly<Result>(marker: string, decide: Decide<Result>, ttl: number | null): Decide<Result> {
  if (ttl !== null && !(Number.isSafeInteger(ttl) && ttl > 0)) {
    throw new TypeError("ttl must be a whole number of milliseconds from 1, or null for ever");
  }
  return (view) => {
    const kept = view.get<{ readonly result?: Result }>(marker);
    if (kept !== null) return { result: kept.result as Result };
    const decision = decide(view) as Decision<Result> | Promise<unknown> | null;
    // What is no decision is refused where it always is.
    if (typeof decision !== "object" || decision === null || decision instanceof Promise) return decision as never;
    const value = { result: decision.result };
    if (ttl === null) return { ...decision, set: [...entriesOf(decision.set), [marker, value]] };
    return { ...decision, setWithTtl: [...entriesOf(decision.setWithTtl), [marker, { value, ttl }]] };
  };
}
