import { setTimeout as sleep } from "node:timers/promises";
import { task, type TaskRun } from "../handler/task.ts";
import { sagaMode, stepTimeout } from "../settings/configuration.ts";
import { settleOverdue } from "./checkout-sagas.ts";
import { logged, openSagas, tellStuck } from "./open-sagas.ts";
import type { DrivenSaga } from "./saga-journal.ts";
import { isOverdue, isSettled } from "./sagas.ts";
import { order } from "./service.ts";

/** Sagas that are taken over at the same time. */
const CONCURRENCY = 16;
/**
 * Step timeouts that one saga gets in a round. They are enough for all its compensations, and a stuck saga cannot use
 * up the time of the others.
 */
const SHARE = 3;
/** Milliseconds after a round in which something was left open. */
const PAUSE = 250;

/**
 * Scheduled, and after every restore: settles the checkouts whose drivers are gone. It waits for the deadlines of those
 * that still run, as far as its own time allows, so that none is left for the next tick without need.
 */
export const handler = task(order, "resume_sagas", async (run) => {
  if (sagaMode() === "sync") return resumeSagas(run);
  return (await import("./resume-event-sagas.ts")).resumeEventSagas(run);
});

/** @returns how many sagas it settled, and how many are still open */
export async function resumeSagas({ state, deadline }: TaskRun): Promise<{ settled: number; open: number }> {
  let settled = 0;
  for (let first = true; ; first = false) {
    const open = await openSagas(state, deadline);
    if (first) tellStuck(open);
    if (open.length === 0) return { settled, open: 0 };
    const started = Date.now();
    const due = open.filter(({ saga }) => isOverdue(saga, started));
    const done = await settleAll(state, due, deadline);
    settled += done;
    // Those that could not be settled get a pause; those that still run are due at their deadlines.
    const next = Math.min(...open.filter((driven) => !due.includes(driven)).map(({ saga }) => saga.deadline));
    const now = Date.now();
    const pause = done < due.length ? PAUSE : due.length < open.length ? Math.max(0, next - now) : 0;
    if (now + pause >= deadline) return { settled, open: open.length - done };
    await sleep(pause);
  }
}

/** @returns how many of them are settled now */
async function settleAll(state: TaskRun["state"], sagas: readonly DrivenSaga[], deadline: number): Promise<number> {
  let settled = 0;
  // In another order each time, so that no set of stuck sagas is always first.
  const queue = sagas
    .map((driven) => ({ driven, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .values();
  const work = async (): Promise<void> => {
    for (const { driven } of queue)
      if (await settle(state, driven, Math.min(deadline, Date.now() + SHARE * stepTimeout()))) settled++;
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return settled;
}

/** @returns true where it is settled now. Never rejects. */
async function settle(state: TaskRun["state"], driven: DrivenSaga, deadline: number): Promise<boolean> {
  const saga = await logged(driven, () => settleOverdue(state, driven, deadline));
  return saga !== null && isSettled(saga);
}
