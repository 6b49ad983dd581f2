/** The bounded part of the chaos run; longer: `npm run crash -- --chaos`. */
import { expect, test } from "@jest/globals";
import { runChaos } from "./chaos.ts";

const MINUTES = 60_000;

test(
  "a monkey kills hosts, each Redis and everything, freezes a writer through a restore, puts back old copies and fills the disk: nothing is lost, and all checkouts are settled",
  async () => {
    const struck = new Set<string>();
    // The promise is 10 s on a machine that has nothing else to do. Here it only has to come to an end.
    const problems = await runChaos({
      seed: 7,
      rounds: 5,
      settleWithin: 60_000,
      onRound: ({ strikes }) => strikes.forEach((strike) => struck.add(strike)),
    });
    expect(problems).toEqual([]);
    expect(struck.size).toBe(9);
  },
  10 * MINUTES,
);
