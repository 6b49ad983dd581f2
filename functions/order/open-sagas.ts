import type { LoggedRedis } from "log-replay";
import { stuck, type StuckMessage } from "../observe/channels.ts";
import { describe, log } from "../request-log.ts";
import { CLAIMS, type Claim } from "./orders.ts";
import type { DrivenSaga } from "./saga-journal.ts";
import { traceNote } from "./saga-trace.ts";
import { sagaKey, type Saga } from "./sagas.ts";
import { remaining } from "../deadline.ts";

/** Sagas that one round looks at, oldest first. */
const MOST = 10_000;
/** Milliseconds past its deadline from which a saga counts as stuck: a whole round before this one has not settled it. */
const STUCK = 60_000;

/** Every claim stands for a saga that is not settled. @param deadline milliseconds since 1970 */
export async function openSagas(state: LoggedRedis, deadline: number): Promise<DrivenSaga[]> {
  const options = (): { timeout: number } => ({ timeout: remaining(deadline) });
  const claims = await state.occ.read<Claim>(await state.keys(CLAIMS, { limit: MOST, ...options() }), options());
  const ids = claims.flatMap((claim) => (claim ? [claim.saga] : []));
  const sagas = await state.occ.read<Saga>(ids.map(sagaKey), options());
  return ids.flatMap((id, i) => {
    const saga = sagas[i];
    return saga ? [{ id, saga }] : [];
  });
}

/** For the alarm. */
export function tellStuck(open: readonly DrivenSaga[]): void {
  const late = open.filter(({ saga }) => saga.deadline < Date.now() - STUCK).length;
  stuck.publish({ stuck: late } satisfies StuckMessage);
}

/**
 * Writes down what comes of a saga. Never rejects: one saga's trouble must not stop the others.
 * @param settle resolves with the saga as it is left; null where there was nothing to do yet
 * @returns the same; null where it failed, too
 */
export async function logged({ id, saga }: DrivenSaga, settle: () => Promise<Saga | null>): Promise<Saga | null> {
  const about = { service: "order", ...traceNote(saga), saga: id };
  try {
    const left = await settle();
    if (left !== null) log("info", "saga", { ...about, state: left.state });
    return left;
  } catch (error) {
    log("error", "saga", { ...about, error: describe(error, true) });
    return null;
  }
}
