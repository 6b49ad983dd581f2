/**
 * The bounded part of the crash suite: at every fail point each fault that is more than a delay, then seeded pairs of
 * faults with power cuts. The number of rounds bounds it, not a clock. Longer runs: `npm run crash`.
 */
import { expect, test } from "@jest/globals";
import { pairChapter, singleChapters, singles, type Chapter, type Plan } from "./plan.ts";
import { runSuite } from "./suite.ts";

const MINUTES = 60_000;
const SEED = 2026;
/** Chapters at the same time. */
const LANES = 3;

async function go(
  chapters: readonly Chapter[],
): Promise<{ readonly wrong: unknown[]; readonly rounds: number; readonly struck: number }> {
  const { failures, rounds, struck } = await runSuite(chapters, LANES);
  const wrong = failures.map(({ chapter, plan, problems }) => ({
    again: `npm run crash -- --chapters 1 --seed ${chapter.seed}`,
    plan: plan.name,
    problems,
  }));
  return { wrong, rounds, struck };
}

const isMoreThanDelay = ({ target }: Plan): boolean => target?.action !== "delay";

test(
  "a crash, a lost answer or a failing disk at every fail point: nothing that was answered is lost, and every checkout is settled",
  async () => {
    const chapters = singleChapters(SEED, isMoreThanDelay);
    const { wrong, rounds } = await go(chapters);
    expect(wrong).toEqual([]);
    expect(rounds).toBe(singles().filter(({ action }) => action !== "delay").length);
  },
  20 * MINUTES,
);

test(
  "pairs of faults, power cuts that forget what was not synced among them: the same",
  async () => {
    const { wrong, struck } = await go([pairChapter(SEED), pairChapter(SEED + 1)]);
    expect(wrong).toEqual([]);
    expect(struck).toBeGreaterThan(0);
  },
  20 * MINUTES,
);
