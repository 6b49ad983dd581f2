import { expect, test } from "@jest/globals";
import { explore, type Model } from "../explorer.ts";

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

  expect(counterexample).toMatchObject({ violation: { invariant: "7 settles by itself" }, trace: [{ state: "1" }, { state: "3" }] });
});

test("a settling that only a fault could bring does not count", () => {
  const lucky: Model<number> = { ...counter(1), successors: (n, visit) => { if (n === 0) visit("luck", 1, "fault"); } };

  expect(explore(lucky).counterexample).toMatchObject({ violation: { invariant: "7 settles by itself" }, trace: [] });
});

test("a limit is told", () => {
  expect(explore(counter(100), { maxDepth: 3 })).toMatchObject({ exhaustive: false, counterexample: null });
  expect(explore(counter(100), { maxStates: 10 })).toMatchObject({ exhaustive: false, counterexample: null });
});
