import { setTimeout as sleep } from "node:timers/promises";
import type { LoggedRedis } from "log-replay";
import { directClient } from "../calls/direct-client.ts";
import { stepTimeout } from "../settings/configuration.ts";
import { SagaDriver } from "./saga-driver.ts";
import { SagaJournal, type DrivenSaga } from "./saga-journal.ts";
import { inItsTrace } from "./saga-trace.ts";
import { CHECKOUT } from "./saga-steps.ts";
import { isOverdue, isSettled, LostRaceError, type Saga } from "./sagas.ts";
import { peersBehind } from "./peers.ts";
import { remaining } from "../deadline.ts";

/** Milliseconds between two looks at a saga that somebody else drives, at first and at most. */
const FIRST_POLL = 5;
const LONGEST_POLL = 100;

/** The pauses between the looks; milliseconds. */
export function* pauses(): Generator<number, never> {
  for (let pause = FIRST_POLL; ; pause = Math.min(2 * pause, LONGEST_POLL)) yield pause * (0.5 + Math.random() / 2);
}

/** The driver of checkouts on the order service's state. */
export function checkoutDriver(state: LoggedRedis): SagaDriver {
  return new SagaDriver({
    journal: new SagaJournal(state),
    peers: peersBehind(directClient),
    steps: CHECKOUT,
    stepTimeout: stepTimeout(),
  });
}

/**
 * Waits until somebody else's saga is settled, and settles it once it is past its deadline.
 * @param deadline milliseconds since 1970
 * @returns the saga as it is then, settled or not; null where it is gone
 */
export async function follow(state: LoggedRedis, id: string, deadline: number): Promise<Saga | null> {
  const journal = new SagaJournal(state);
  const looks = pauses();
  for (;;) {
    let saga = await journal.read(id, remaining(deadline));
    if (saga !== null && !isSettled(saga) && isOverdue(saga, Date.now()))
      saga = await settleOverdue(state, { id, saga }, deadline);
    const pause = looks.next().value;
    if (saga === null || isSettled(saga) || Date.now() + pause >= deadline) return saga;
    await sleep(pause);
  }
}

/**
 * Settles a saga that is past its deadline because its driver is gone or too slow.
 * @returns the saga as it was left; unchanged where another driver was faster
 */
export async function settleOverdue(state: LoggedRedis, driven: DrivenSaga, deadline: number): Promise<Saga> {
  const driver = checkoutDriver(state);
  try {
    const settled = await inItsTrace("take over checkout", driven, () =>
      driven.saga.state === "running" ? driver.takeOver(driven, deadline) : driver.compensate(driven, deadline),
    );
    return settled.saga;
  } catch (error) {
    if (error instanceof LostRaceError) return driven.saga;
    throw error;
  }
}
