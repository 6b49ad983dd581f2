import type { Change, View } from "redis-occ";
import { Refusal } from "../errors.ts";
import type { Answer } from "../http/answer.ts";
import type { Call } from "./endpoint.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { idempotencyKey, recall, remember } from "../state/idempotency.ts";

/** A change of one service's state: one transaction, one line of its log. */
export interface Command {
  /** The operation's name in the log. */
  readonly op: string;
  readonly keys: readonly string[];
  /** The rules, on what is there. @throws Refusal */
  readonly decide: (view: View) => { readonly set: readonly Change[]; readonly answer: Answer };
}

/**
 * Runs the command. With an Idempotency-Key its answer is kept in the same transaction and given again to the same
 * request. A refusal is kept too, although it changes nothing else.
 *
 * @throws Refusal; IdempotencyKeyReusedError; OccError and LogError
 */
export function runCommand(
  { state, idempotency, deadline, now }: Pick<Call, "state" | "idempotency" | "deadline" | "now">,
  { op, keys, decide }: Command,
): Promise<Answer> {
  const options = { meta: { op }, timeout: deadline - now };
  if (idempotency === null) {
    return state.occ.transact(
      keys,
      (view) => {
        const { set, answer } = decide(view);
        return { result: answer, set };
      },
      options,
    );
  }
  return state.occ.transact(
    [idempotencyKey(idempotency.key), ...keys],
    (view) => {
      const first = recall<Answer>(view, idempotency);
      if (first !== null) return { result: first };
      const { set, answer } = decideOrRefuse(decide, view);
      return { result: answer, set: [...set, ...remember(idempotency, answer)] };
    },
    options,
  );
}

function decideOrRefuse(decide: Command["decide"], view: View): ReturnType<Command["decide"]> {
  try {
    return decide(view);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { set: [], answer: errorAnswer(error) };
  }
}
