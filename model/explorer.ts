import { Encoding, type Fingerprint } from "./encoding.ts";
import { Fingerprints } from "./fingerprints.ts";
import type { Invariant } from "./invariants.ts";
import { NumbersList } from "./numbers-list.ts";
import { findUnsettled } from "./settling.ts";

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

/** Takes one step's successor. A fault is a step that may never happen, so nobody can wait for it. */
export type Visit<S> = (step: string, next: S, kind?: "fault") => void;

export interface Model<S> {
  readonly initial: S;
  /** Every step that is possible, always in the same order. */
  readonly successors: (state: S, visit: Visit<S>) => void;
  /**
   * Equal for states that do not differ in anything that may follow.
   * @param variant below `variants`: under which of the names that the state's parts may as well have. States that one of the
   *   variants makes the same are taken for one
   */
  readonly encode: (state: S, into: Encoding, variant: number) => void;
  /** Default 1. */
  readonly variants?: number;
  readonly violation: (state: S) => Violation | null;
  /** True if nothing is left to be done. Such a state must be reachable without a fault from each state. */
  readonly settled: (state: S) => boolean;
  /** The parts of a state that a reader of a trace wants to see. */
  readonly describe: (state: S) => string;
}

export interface Limits {
  /** Default: none. */
  readonly maxStates?: number;
  /** Default: none. */
  readonly maxDepth?: number;
  /** Also prove that everything can settle; needs eight bytes for each step. Default true. */
  readonly settling?: boolean;
  readonly onProgress?: (statistics: Statistics) => void;
}

export interface Statistics {
  readonly states: number;
  /** Steps taken: edges of the state graph. */
  readonly steps: number;
  readonly depth: number;
  readonly ms: number;
}

/** One step of a counterexample, and what it led to. */
export interface TraceStep {
  readonly step: string;
  readonly state: string;
}

export interface Result extends Statistics {
  /** False if a limit ended the search, so that what was not looked at may be broken. */
  readonly exhaustive: boolean;
  readonly counterexample: { readonly violation: Violation; readonly trace: readonly TraceStep[] } | null;
}

const PROGRESS_STATES = 250_000;

/**
 * Visits every state that can be reached, breadth first: the first counterexample is one of the shortest.
 */
export function explore<S>(
  model: Model<S>,
  { maxStates = Infinity, maxDepth = Infinity, settling = true, onProgress }: Limits = {},
): Result {
  const started = performance.now();
  const seen = new Fingerprints();
  const encoding = new Encoding();
  // A state's way: the state that it was found from, and which of that one's steps led to it.
  const parents = new NumbersList();
  const choices = new NumbersList();
  const edges = { from: new NumbersList(), to: new NumbersList() };
  const settled = new NumbersList();
  let steps = 0;
  let depth = 0;
  let exhaustive = true;

  const statistics = (): Statistics => ({
    states: seen.size,
    steps,
    depth,
    ms: Math.round(performance.now() - started),
  });
  const found = (number: number, violation: Violation): Result => ({
    ...statistics(),
    exhaustive: false,
    counterexample: { violation, trace: retrace(model, number, parents, choices) },
  });

  let level: S[] = [];
  let first = 0;
  const broken: { readonly number: number; readonly violation: Violation }[] = [];
  const isBroken = (): boolean => broken.length > 0;
  let next: S[] = [];
  const admit = (state: S, parent: number, choice: number): number => {
    const number = seen.add(fingerprint(model, state, encoding));
    if (number >= 0) return number;
    parents.push(parent);
    choices.push(choice);
    next.push(state);
    const violation = model.violation(state);
    if (violation !== null) broken.push({ number: -1 - number, violation });
    if (model.settled(state)) settled.push(-1 - number);
    return -1 - number;
  };

  admit(model.initial, -1, 0);
  for (; next.length > 0 && !isBroken(); depth++) {
    level = next;
    next = [];
    if (depth >= maxDepth || seen.size >= maxStates) {
      exhaustive = false;
      break;
    }
    const lastOfLevel = first + level.length;
    for (let from = first; from < lastOfLevel && !isBroken(); from++) {
      let choice = 0;
      model.successors(level[from - first] as S, (_step, state, kind) => {
        steps++;
        const to = admit(state, from, choice++);
        if (!settling || kind === "fault" || to === from) return;
        edges.from.push(from);
        edges.to.push(to);
      });
      if (onProgress && from % PROGRESS_STATES === PROGRESS_STATES - 1) onProgress(statistics());
      if (seen.size >= maxStates) break;
    }
    first = lastOfLevel;
  }
  const [violated] = broken;
  if (violated !== undefined) return found(violated.number, violated.violation);
  if (settling && exhaustive) {
    const stuck = findUnsettled(seen.size, edges, settled);
    if (stuck !== null)
      return found(stuck, {
        invariant: "7 settles by itself",
        what: "no way leads from here to a state in which everything is settled",
      });
  }
  return { ...statistics(), exhaustive, counterexample: null };
}

/** The least of the fingerprints that a state has under its variants. */
function fingerprint<S>({ encode, variants = 1 }: Model<S>, state: S, encoding: Encoding): Fingerprint {
  const least = { high: 0xffffffff, low: 0xffffffff };
  for (let variant = 0; variant < variants; variant++) {
    encoding.clear();
    encode(state, encoding, variant);
    const { high, low } = encoding.fingerprint();
    if (high > least.high || (high === least.high && low > least.low)) continue;
    least.high = high;
    least.low = low;
  }
  return least;
}

/** The steps that lead to a state, found again by taking the same choices from the start. */
function retrace<S>(model: Model<S>, number: number, parents: NumbersList, choices: NumbersList): TraceStep[] {
  const way: number[] = [];
  for (let at = number; parents.at(at) >= 0; at = parents.at(at)) way.unshift(choices.at(at));
  let state = model.initial;
  return way.map((choice) => {
    let count = 0;
    let taken: { readonly step: string; readonly next: S } | undefined;
    model.successors(state, (step, next) => {
      if (count++ === choice) taken = { step, next };
    });
    if (taken === undefined)
      throw new Error("the model gave other steps than before: successors must depend on the state alone");
    state = taken.next;
    return { step: taken.step, state: model.describe(state) };
  });
}
