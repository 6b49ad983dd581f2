import type { Change } from "redis-occ";
import type { Call } from "./endpoint.ts";
import { json, type Answer } from "../http/answer.ts";
import { idempotencyKey, recall } from "../state/idempotency.ts";
import { answerOf, once } from "./once.ts";
import { remaining } from "../deadline.ts";

/**
 * Rows of one transaction, and so of one line of the log. WATCH costs Redis 7.0 the square of the number of keys: 2 ms
 * for 500.
 */
export const CHUNK = 500;

/** Milliseconds that a batch may take, where the function's timeout allows it. */
export const BATCH_PATIENCE = 15 * 60_000;

export interface Batch {
  readonly op: string;
  /** Rows "0" to "count - 1" are made. */
  readonly count: number;
  readonly row: (id: string) => Change;
  /** The key whose presence forbids overwriting a row, and the error of whoever tries. */
  readonly blocker?: { readonly key: (id: string) => string; readonly refuse: (id: string) => Error };
  /**
   * Checks before anything is done whether all of it can be done. A request that was answered before is not checked
   * again.
   */
  readonly precheck?: () => Promise<void>;
  /** The answer's text. */
  readonly done: string;
}

/**
 * Makes the rows in chunks, each one transaction. A crash leaves whole chunks and no answer; the same request again
 * completes it. With an Idempotency-Key, the key is taken before the first chunk, and the chunks of a late repetition
 * stop once they find that the answer was given.
 *
 * @throws what `precheck` throws; the error of `blocker`, where whole chunks before that one may have been written
 */
export async function runBatch(
  { state, idempotency, deadline }: Call,
  { op, count, row, blocker, precheck, done }: Batch,
): Promise<Answer> {
  const answer = json({ msg: done });
  // Of the whole: each part of it gets what is left.
  const options = (): { meta: object; timeout: number } => ({ meta: { op }, timeout: remaining(deadline) });
  const recordKeys = idempotency === null ? [] : [idempotencyKey(idempotency.key)];

  if (idempotency !== null) {
    const first = await state.occ.transact(
      recordKeys,
      (view) =>
        once<Answer | null>(view, idempotency, {
          again: (kept) => answerOf(kept),
          answered: (refusal) => refusal,
          decide: () => ({ result: null, set: [], keep: { pending: op } }),
        }),
      options(),
    );
    if (first !== null) return first;
  }
  await precheck?.();
  const stopped = await state.occ.batch(
    chunks(count).map(({ from, to }) => {
      const ids = Array.from({ length: to - from }, (_, i) => String(from + i));
      return {
        keys: [...recordKeys, ...(blocker ? ids.map(blocker.key) : [])],
        decide: (view) => {
          // A record that is gone was past the retention: what was begun is brought to its end all the same.
          if (idempotency !== null && answerOf(recall(view, idempotency)) !== null) return { result: true };
          const blocked = blocker && ids.find((id) => view.get(blocker.key(id)) !== null);
          if (blocker && blocked !== undefined) throw blocker.refuse(blocked);
          return { result: false, set: ids.map(row) };
        },
      };
    }),
    options(),
  );
  if (idempotency === null || stopped.includes(true)) return answer;
  return state.occ.transact(
    recordKeys,
    (view) =>
      once<Answer>(view, idempotency, {
        again: answerOf,
        answered: (refusal) => refusal,
        decide: () => ({ result: answer, set: [], keep: answer }),
      }),
    options(),
  );
}

/** Lazy, so that a million rows are never held at once. */
function* chunks(count: number): Generator<{ readonly from: number; readonly to: number }> {
  for (let from = 0; from < count; from += CHUNK) yield { from, to: Math.min(count, from + CHUNK) };
}
