import type { Statistics } from "./explorer.ts";
import type { Outcome } from "./plan.ts";

/** An outcome for people: the numbers, and the counterexample step by step where there is one. */
export function report({ name, kind, result, asExpected }: Outcome, { states = false } = {}): string {
  const { counterexample, exhaustive } = result;
  const head = `${name}: ${verdict()} (${numbers(result)})`;
  if (counterexample === null) return head;
  const { violation, trace } = counterexample;
  const width = String(trace.length).length;
  const lines = trace.map(({ step, state }, i) => {
    const place = String(i + 1).padStart(width);
    return states ? `  ${place}  ${step}\n  ${" ".repeat(width)}    ${state}` : `  ${place}  ${step}`;
  });
  return [head, ...lines, `  Invariant ${violation.invariant}: ${violation.what}`].join("\n");

  function verdict(): string {
    if (counterexample !== null) return kind === "mutant" && !asExpected ? "broken, but not as it should be" : "broken";
    if (kind === "mutant") return "NOT FOUND";
    return exhaustive ? "holds in all states" : "holds as far as it was looked";
  }
}

/** A mutant's outcome as a row of a table. */
export function row({ name, result }: Outcome): string {
  const { counterexample } = result;
  return `${name.padEnd(36)} ${(counterexample?.violation.invariant ?? "").padEnd(34)} ${String(counterexample?.trace.length).padStart(3)} steps, ${numbers(result)}`;
}

/** One line for programs: the outcome, and what people would see. */
export function json(outcome: Outcome): string {
  return JSON.stringify({ ...outcome, text: report(outcome) });
}

export function numbers({ states, steps, depth, ms }: Statistics): string {
  return `${states.toLocaleString("en")} states, ${steps.toLocaleString("en")} steps, depth ${depth}, ${(ms / 1000).toFixed(1)} s`;
}
