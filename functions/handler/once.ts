import type { Change, View } from "redis-occ";
import { Refusal } from "../errors.ts";
import type { Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { recall, remember, type Idempotency, type Kept } from "../state/idempotency.ts";

/** What a request does when it comes for the first time, and what is kept of it for the times after. */
export interface Decision<R> {
  readonly result: R;
  readonly set: readonly Change[];
  readonly keep: Kept;
}

export interface Once<R> {
  /** The result for a repetition, from what was kept; null where that is void and the request is to be decided anew. */
  readonly again: (kept: Kept) => R | null;
  /** The rules, on what is there. @throws Refusal */
  readonly decide: () => Decision<R>;
  /** The result where `decide` refuses, from the refusal's answer, which is kept like any other. */
  readonly answered: (answer: Answer) => R;
}

/**
 * Decides a request that may come again under its Idempotency-Key; every such request is decided here. What is kept is
 * written in the transaction of the effect, so there is never one without the other.
 *
 * @param view of a transaction that has the key's record among its keys
 * @throws Refusal, without a key only; IdempotencyKeyReusedError
 */
export function once<R>(
  view: View,
  idempotency: Idempotency | null,
  { again, decide, answered }: Once<R>,
): { result: R; set: readonly Change[] } {
  if (idempotency === null) return decide();
  const kept = recall(view, idempotency);
  const repeated = kept === null ? null : again(kept);
  if (repeated !== null) return { result: repeated, set: [] };
  try {
    const { result, set, keep } = decide();
    return { result, set: [...set, remember(idempotency, keep)] };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const answer = errorAnswer(error);
    return { result: answered(answer), set: [remember(idempotency, answer)] };
  }
}

/** The answer that was kept; null where there is none yet. */
export function answerOf(kept: Kept | null): Answer | null {
  return kept !== null && "status" in kept ? kept : null;
}
