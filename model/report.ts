import type { Result, Statistics } from "./explorer.ts";

/** A result for people: the numbers, and the counterexample step by step where there is one. */
export function report(name: string, result: Result, { states = false } = {}): string {
  const { counterexample, exhaustive } = result;
  const how = counterexample !== null ? "broken" : exhaustive ? "holds in all states" : "holds as far as it was looked";
  const head = `${name}: ${how} (${numbers(result)})`;
  if (counterexample === null) return head;
  const { violation, trace } = counterexample;
  const width = String(trace.length).length;
  const lines = trace.map(({ step, state }, i) => {
    const place = String(i + 1).padStart(width);
    return states ? `  ${place}  ${step}\n  ${" ".repeat(width)}    ${state}` : `  ${place}  ${step}`;
  });
  return [head, ...lines, `  Invariant ${violation.invariant}: ${violation.what}`].join("\n");
}

export function numbers({ states, steps, depth, ms }: Statistics): string {
  return `${states.toLocaleString("en")} states, ${steps.toLocaleString("en")} steps, depth ${depth}, ${(ms / 1000).toFixed(1)} s`;
}
