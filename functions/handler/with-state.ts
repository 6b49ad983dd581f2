import type { LoggedRedis } from "log-replay";
import { stopsAfterAnswer } from "../settings/configuration.ts";
import { openState, type Service } from "../state/open-state.ts";
import { timeLeft, type Invocation } from "./time-left.ts";

/** Milliseconds: as long as a Lambda may run. */
const LONGEST_RESTORE = 900_000;

/**
 * Works with the service's state, for handlers that do not wait for it to be there before they begin (`restoreState` with `finish` does
 * the same for the others). Where the process is stopped after its answer, this ends only once the restore that the process makes has
 * ended, as far as the invocation's time goes: nobody else can restore meanwhile.
 * @param reserve milliseconds of the invocation's own time that are left for its answer
 */
export async function withState<T>(
  service: Service,
  invocation: Invocation,
  reserve: number,
  work: (state: LoggedRedis) => Promise<T>,
): Promise<T> {
  const state = await openState(service);
  try {
    return await work(state);
  } finally {
    if (stopsAfterAnswer()) await state.restored({ timeout: timeLeft(invocation, LONGEST_RESTORE, reserve) });
  }
}
