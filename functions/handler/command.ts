import type { Change, View } from "redis-occ";
import type { Answer } from "../http/answer.ts";
import { idempotencyKey, recall, type Remembered } from "../state/idempotency.ts";
import type { Call } from "./endpoint.ts";
import { answerOf, once } from "./once.ts";
import { remaining } from "../deadline.ts";

/** A change of one service's state: one transaction, one line of its log. */
export interface Command<Asked = undefined> {
  /** The operation's name in the log. */
  readonly op: string;
  readonly keys: readonly string[];
  /** What the rules need of another service. Not asked for a request that was answered before. */
  readonly ask?: () => Promise<Asked>;
  /** The rules, on what is there. Nothing to set: nothing is written. @throws Refusal */
  readonly decide: (view: View, asked: Asked) => { readonly set: readonly Change[]; readonly answer: Answer };
}

type CallPart = Pick<Call, "state" | "idempotency" | "deadline">;

/**
 * Runs the command. With an Idempotency-Key its answer is kept in the same transaction and given again to the same
 * request. A refusal is kept too, although it changes nothing else.
 *
 * @throws Refusal; IdempotencyKeyReusedError; OccError and LogError; what `ask` throws
 */
export async function runCommand<Asked = undefined>(
  call: CallPart,
  { op, keys, ask, decide }: Command<Asked>,
): Promise<Answer> {
  const { state, idempotency, deadline } = call;
  const first = ask === undefined ? null : await firstAnswer(call);
  if (first !== null) return first;
  const asked = (await ask?.()) as Asked;
  return state.occ.transact(
    idempotency === null ? keys : [idempotencyKey(idempotency.key), ...keys],
    (view) =>
      once(view, idempotency, {
        again: answerOf,
        answered: (answer) => answer,
        decide: () => {
          const { set, answer } = decide(view, asked);
          return { result: answer, set, keep: answer };
        },
      }),
    { meta: { op }, timeout: remaining(deadline) },
  );
}

/** Before anybody else is asked: null where the request is new. */
async function firstAnswer({ state, idempotency, deadline }: CallPart): Promise<Answer | null> {
  if (idempotency === null) return null;
  const [record = null] = await state.occ.read<Remembered>([idempotencyKey(idempotency.key)], {
    timeout: remaining(deadline),
  });
  return answerOf(recall({ get: <T>() => record as T | null }, idempotency));
}
