/** Runs chapters side by side: most of a round is waiting for deadlines. */
import { redisArguments } from "./older.ts";
import type { Chapter, Plan } from "./plan.ts";
import { runRound } from "./round.ts";
import { LeanShop } from "./support/lean-shop.ts";

export interface Failure {
  readonly chapter: Chapter;
  readonly plan: Plan;
  readonly problems: readonly string[];
}

export interface Summary {
  readonly rounds: number;
  /** How many faults have struck. */
  readonly struck: number;
  readonly failures: readonly Failure[];
}

export type OnRound = (plan: Plan, problems: readonly string[], ms: number) => void;

/**
 * A chapter ends with its first round that goes wrong, because later ones would be judged by a state that is wrong
 * already.
 */
export async function runSuite(
  chapters: Iterable<Chapter>,
  lanes: number,
  onRound: OnRound = () => undefined,
): Promise<Summary> {
  const queue = chapters[Symbol.iterator]();
  const failures: Failure[] = [];
  let [rounds, struck] = [0, 0];
  const runChapter = async (chapter: Chapter): Promise<void> => {
    const shop = await LeanShop.start({
      environment: chapter.repeats ? { REPEAT_STEPS: "1" } : {},
      mayLosePower: chapter.mayLosePower,
      redisArguments,
    });
    try {
      for (const plan of chapter.plans) {
        const started = performance.now();
        const outcome = await runRound(shop, plan).catch((error: unknown) => ({
          problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
          struck: [],
        }));
        rounds++;
        struck += outcome.struck.length;
        onRound(plan, outcome.problems, performance.now() - started);
        if (outcome.problems.length === 0) continue;
        failures.push({ chapter, plan, problems: outcome.problems });
        return;
      }
    } finally {
      await shop.stop();
    }
  };
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) await runChapter(next.value);
    }),
  );
  return { rounds, struck, failures };
}
