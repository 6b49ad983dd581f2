import { setTimeout as sleep } from "node:timers/promises";
import type { LoggedRedis } from "log-replay";
import { httpClient } from "../http/service-client.ts";
import { stepTimeout } from "../service/configuration.ts";
import { SagaDriver } from "./saga-driver.ts";
import { SagaJournal } from "./saga-journal.ts";
import { CHECKOUT } from "./saga-steps.ts";
import { isSettled, type Saga } from "./sagas.ts";
import { servicesBehind } from "./services.ts";

/** Milliseconds between two looks at a saga that somebody else drives, at first and at most. */
const FIRST_POLL = 5;
const LONGEST_POLL = 100;

/** The driver of checkouts on the order service's state. */
export function checkoutDriver(state: LoggedRedis): SagaDriver {
  return new SagaDriver({
    journal: new SagaJournal(state),
    services: servicesBehind(httpClient),
    steps: CHECKOUT,
    stepTimeout: stepTimeout(),
  });
}

/**
 * Waits until somebody else's saga is settled.
 * @param deadline milliseconds since 1970
 * @returns the saga as it is then, settled or not; null where it is gone
 */
export async function follow(journal: SagaJournal, id: string, deadline: number): Promise<Saga | null> {
  for (let pause = FIRST_POLL; ; pause = Math.min(2 * pause, LONGEST_POLL)) {
    const saga = await journal.read(id, Math.max(1, deadline - Date.now()));
    if (saga === null || isSettled(saga) || Date.now() + pause >= deadline) return saga;
    await sleep(pause * (0.5 + Math.random() / 2));
  }
}
