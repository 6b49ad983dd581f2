import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "../handler/task.ts";
import { describe, log } from "../request-log.ts";
import { resendAfter } from "../settings/configuration.ts";
import { nextPush, pushOn } from "./event-sagas.ts";
import { openSagas, tellStuck } from "./open-sagas.ts";
import type { HeldSaga } from "./saga-journal.ts";

/** Milliseconds between two looks, at first; doubled each time, up to the time after which events are sent again. */
const FIRST_PAUSE = 50;

/**
 * `resumeSagas` for checkouts by events: has those go on that have made no progress, and gives up those that are past
 * their deadline. Looks until none is open, as far as its own time allows.
 * @returns how many of those that were open are settled now, and how many are open
 */
export async function resumeEventSagas({ state, deadline }: Run): Promise<{ settled: number; open: number }> {
  const seen = new Set<string>();
  let open = await openSagas(state, deadline);
  tellStuck(open);
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, resendAfter())) {
    for (const { id } of open) seen.add(id);
    await Promise.all(open.map((held) => push(state, held, deadline)));
    if (open.length === 0 || Date.now() + pause >= deadline)
      return { settled: seen.size - open.length, open: open.length };
    await sleep(pause);
    open = await openSagas(state, deadline);
  }
}

/** Never rejects: one saga's trouble must not stop the others. */
async function push(state: Run["state"], held: HeldSaga, deadline: number): Promise<void> {
  try {
    if ((await nextPush(held)) > Date.now()) return;
    const { saga } = await pushOn(state, held, deadline);
    log("info", "saga", { service: "order", saga: held.id, state: saga.state });
  } catch (error) {
    log("error", "saga", { service: "order", saga: held.id, error: describe(error, true) });
  }
}
