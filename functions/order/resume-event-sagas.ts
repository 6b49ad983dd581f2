import { setTimeout as sleep } from "node:timers/promises";
import type { TaskRun } from "../handler/task.ts";
import { resendAfter } from "../settings/configuration.ts";
import { nextPush, pushOn } from "./event-sagas.ts";
import { logged, openSagas, tellStuck } from "./open-sagas.ts";
import type { DrivenSaga } from "./saga-journal.ts";

/** Milliseconds between two looks, at first; doubled each time, up to the time after which events are sent again. */
const FIRST_PAUSE = 50;

/**
 * `resumeSagas` for checkouts by events: has those go on that have made no progress, and gives up those that are past
 * their deadline. Looks until none is open, as far as its own time allows.
 * @returns how many of those that were open are settled now, and how many are open
 */
export async function resumeEventSagas({ state, deadline }: TaskRun): Promise<{ settled: number; open: number }> {
  const seen = new Set<string>();
  let open = await openSagas(state, deadline);
  tellStuck(open);
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, resendAfter())) {
    for (const { id } of open) seen.add(id);
    await Promise.all(open.map((driven) => push(state, driven, deadline)));
    if (open.length === 0 || Date.now() + pause >= deadline)
      return { settled: seen.size - open.length, open: open.length };
    await sleep(pause);
    open = await openSagas(state, deadline);
  }
}

/** Never rejects. */
async function push(state: TaskRun["state"], driven: DrivenSaga, deadline: number): Promise<void> {
  await logged(driven, async () =>
    (await nextPush(driven)) > Date.now() ? null : (await pushOn(state, driven, deadline)).saga,
  );
}
