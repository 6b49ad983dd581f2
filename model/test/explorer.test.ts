import { expect, test } from "@jest/globals";
import { Encoding } from "../encoding.ts";
import { explore, type Model } from "../explorer.ts";
import { logModel } from "../log/model.ts";
import type { LogState } from "../log/state.ts";

/** A counter that goes up by one or two and ends at `end`. */
function counter(end: number, { forbidden = NaN, trap = NaN } = {}): Model<number> {
  return {
    initial: 0,
    successors: (n, visit) => {
      if (n === trap) return;
      if (n + 1 <= end) visit("one", n + 1);
      if (n + 2 <= end) visit("two", n + 2);
    },
    encode: (n, into) => into.number(n),
    violation: (n) => (n === forbidden ? { invariant: "6 conservation", what: String(n) } : null),
    settled: (n) => n === end,
    describe: String,
  };
}

test("visits each state once and counts the steps", () => {
  expect(explore(counter(10))).toMatchObject({ states: 11, steps: 19, exhaustive: true, counterexample: null });
});

test("gives a shortest way to what must not be", () => {
  const { counterexample } = explore(counter(10, { forbidden: 5 }));

  expect(counterexample?.violation).toEqual({ invariant: "6 conservation", what: "5" });
  expect(counterexample?.trace.map(({ state }) => state)).toEqual(["1", "3", "5"]);
});

test("finds a state from which nothing can settle", () => {
  const { counterexample } = explore(counter(10, { trap: 3 }));

  expect(counterexample).toMatchObject({
    violation: { invariant: "7 settles by itself" },
    trace: [{ state: "1" }, { state: "3" }],
  });
});

test("a settling that only a fault could bring does not count", () => {
  const lucky: Model<number> = {
    ...counter(1),
    successors: (n, visit) => {
      if (n === 0) visit("luck", 1, "fault");
    },
  };

  expect(explore(lucky).counterexample).toMatchObject({ violation: { invariant: "7 settles by itself" }, trace: [] });
});

test("a limit is told", () => {
  expect(explore(counter(100), { maxDepth: 3 })).toMatchObject({ exhaustive: false, counterexample: null });
  expect(explore(counter(100), { maxStates: 10 })).toMatchObject({ exhaustive: false, counterexample: null });
});

test.each([
  [["Cx", "Cx"], 2],
  [["Rx", "Rx"], 2],
])("of states that differ in who is who one is visited, and none is passed over: %j", (programs, variants) => {
  const model = logModel({ programs, faults: { theft: 1, crash: 1 } });
  const kinds = new Set<string>();
  const encoding = new Encoding();
  const kindOf = (state: LogState): string => {
    const fingerprints = Array.from({ length: variants }, (_, variant) => {
      encoding.clear();
      model.encode(state, encoding, variant);
      return JSON.stringify(encoding.fingerprint());
    });
    return fingerprints.sort()[0] as string;
  };

  const limits = { maxDepth: 13 };
  const all = explore({ ...model, variants: 1, violation: (state) => (kinds.add(kindOf(state)), null) }, limits);

  expect(model.variants).toBe(variants);
  expect(explore(model, limits).states).toBe(kinds.size);
  expect(kinds.size).toBeLessThan(all.states);
});
