/** The bounded part of the crash suite with checkouts by events; longer: `npm run crash -- --events`. */
import { expect, test } from "@jest/globals";
import { runChaos } from "./chaos.ts";
import { pairChapter, single, type Chapter } from "./plan.ts";
import { runSuite } from "./suite.ts";

const MINUTES = 60_000;
const SEED = 2026;

/** Where a message's work, what follows from it, and the queue's knowledge of it could come apart. */
const POINTS = [
  "event.send.before",
  "event.send.after",
  "event.answer.before",
  "saga.start.after",
  "saga.reserve.after",
  "saga.charge.after",
  "saga.paid.after",
  "saga.abandoned.after",
  "saga.refund.after",
  "saga.release.after",
  "saga.closed.before",
] as const;

test(
  "a crash at each place of a checkout by events: nothing that was answered is lost, and every checkout is settled",
  async () => {
    const plans = POINTS.map((point, i) => single({ point, action: "kill" }, SEED + i));
    const chapter = (repeats: boolean, from: number, to: number): Chapter => ({
      seed: SEED,
      plans: plans.slice(from, to),
      repeats,
      mayLosePower: false,
    });
    const { failures, rounds } = await runSuite([chapter(false, 0, 6), chapter(true, 6, plans.length)], 2);
    expect(failures.map(({ plan, problems }) => ({ plan: plan.name, problems }))).toEqual([]);
    expect(rounds).toBe(POINTS.length);
  },
  10 * MINUTES,
);

test(
  "pairs of faults, power cuts and queue servers that die with all they hold: the same",
  async () => {
    const { failures, struck } = await runSuite([pairChapter(SEED)], 1);
    expect(failures.map(({ plan, problems }) => ({ plan: plan.name, problems }))).toEqual([]);
    expect(struck).toBeGreaterThan(0);
  },
  10 * MINUTES,
);

test(
  "a monkey in a shop whose checkouts go by events: the same",
  async () => {
    expect(await runChaos({ seed: 7, rounds: 3, settleWithin: 60_000 })).toEqual([]);
  },
  10 * MINUTES,
);
