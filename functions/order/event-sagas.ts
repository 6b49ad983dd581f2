/** Checkouts by events: sends what a saga's record says, sends it again where it was lost, and waits for the end. */
import type { LoggedRedis } from "log-replay";
import { processWide } from "log-replay/process-wide";
import { sendEvents } from "../events/sender.ts";
import { describe, log } from "../request-log.ts";
import { resendAfter } from "../settings/configuration.ts";
import { pauses } from "./checkout-sagas.ts";
import { goesByEvents, outbox } from "./outbox.ts";
import { openOutcomes } from "./outcomes.ts";
import { SagaJournal, type DrivenSaga } from "./saga-journal.ts";
import { inItsTrace } from "./saga-trace.ts";
import { isOverdue, isSettled, LATE, LostRaceError, UNDO_ALL, type Saga } from "./sagas.ts";
import { remaining } from "../deadline.ts";

/** Milliseconds of a request that are left to look at the record a last time. */
const LAST_LOOK = 300;
/** Milliseconds that a request waits for what it sends again: a queue that hangs keeps nobody from hearing the end. */
const PUSH_PATIENCE = 1_000;
/** Milliseconds of the pause after a look or a push that failed: at first, and at most. It doubles each time. */
const FIRST_RETRY_PAUSE = 50;
const LONGEST_RETRY_PAUSE = 1_000;
/** Milliseconds between two sendings of the same at most: the pause doubles each time. */
const LONGEST_PAUSE = 60_000;
/** Sagas whose resends a process remembers at most. */
const MOST_KNOWN = 10_000;

/** When a request does again what has failed. */
class Retry {
  #pause = FIRST_RETRY_PAUSE;
  /** Milliseconds since 1970. */
  at = 0;

  later(): void {
    this.at = Date.now() + this.#pause;
    this.#pause = Math.min(2 * this.#pause, LONGEST_RETRY_PAUSE);
  }
}

/** When this process has sent a saga's events again, and how often. */
class Resends {
  readonly #sent = new Map<string, { readonly at: number; readonly times: number }>();

  /**
   * When they are to be sent again; milliseconds since 1970. A saga that compensates and is not known here is due at once, because its
   * record does not say when it began to.
   */
  due(id: string, saga: Saga): number {
    const { at, times } = this.#sent.get(id) ?? { at: saga.state === "running" ? saga.startedAt : 0, times: 0 };
    return at + Math.min(LONGEST_PAUSE, resendAfter() * 2 ** times);
  }

  note(id: string): void {
    const times = (this.#sent.get(id)?.times ?? 0) + 1;
    this.#sent.delete(id);
    this.#sent.set(id, { at: Date.now(), times });
    if (this.#sent.size > MOST_KNOWN) this.#sent.delete(this.#sent.keys().next().value ?? "");
  }

  forget(id: string): void {
    this.#sent.delete(id);
  }
}

const openResends = (): Promise<Resends> => processWide("shop:resends", async () => new Resends());

/** Milliseconds since 1970 at which `pushOn` has something to do for the saga. */
export async function nextPush({ id, saga }: DrivenSaga): Promise<number> {
  if (saga.state === "running" && isOverdue(saga, Date.now())) return 0;
  if (saga.state === "running" && !goesByEvents(saga)) return saga.deadline;
  const due = (await openResends()).due(id, saga);
  return saga.state === "running" ? Math.min(due, saga.deadline) : due;
}

/**
 * Sends what the saga's record says has to be sent. A saga that is past its deadline is given up first.
 * @returns the saga as it was left
 * @throws OccError and LogError where its state cannot be changed now, UnavailableError where a queue cannot be reached
 */
export function pushOn(state: LoggedRedis, driven: DrivenSaga, deadline: number): Promise<DrivenSaga> {
  return inItsTrace("resume checkout", driven, () => push(state, driven, deadline));
}

async function push(state: LoggedRedis, driven: DrivenSaga, deadline: number): Promise<DrivenSaga> {
  const journal = new SagaJournal(state);
  const resends = await openResends();
  let current = driven;
  if (driven.saga.state === "running" && isOverdue(driven.saga, Date.now())) {
    try {
      current = await journal.abandoned(driven, UNDO_ALL, LATE, remaining(deadline));
    } catch (error) {
      if (!(error instanceof LostRaceError)) throw error;
      const saga = await journal.read(driven.id, remaining(deadline));
      if (saga === null || isSettled(saga)) return { id: driven.id, saga: saga ?? driven.saga };
      current = { id: driven.id, saga };
    }
  }
  await sendEvents("order", outbox(current.id, current.saga), deadline).catch((error: unknown) => {
    // What hangs may be sent yet.
    if (Date.now() >= deadline) resends.note(driven.id);
    throw error;
  });
  resends.note(driven.id);
  return current;
}

/**
 * Waits for the end of a saga that goes on by itself.
 * @param started the saga where this request has begun it: its first events are sent here
 * @param deadline of the request; milliseconds since 1970
 * @returns the saga as it is then, settled or not; null where it is gone; undefined where it could not be read: the checkout goes on
 *   all the same, so the customer must not be told that it failed
 */
export async function awaitEnd(
  state: LoggedRedis,
  id: string,
  started: Saga | null,
  deadline: number,
): Promise<Saga | null | undefined> {
  const journal = new SagaJournal(state);
  const resends = await openResends();
  const last = deadline - LAST_LOOK;
  const read = (): Promise<Saga | null | undefined> => orLog(id, () => journal.read(id, remaining(deadline)));
  // Before anything is sent or read: what comes after that is heard.
  const watch = await (await openOutcomes()).watch(id);
  try {
    // Nobody waits for it: whoever hears the end knows that it was sent.
    if (started !== null) void orLog(id, () => sendEvents("order", outbox(id, started), last));
    let saga = started ?? (await read());
    const retry = new Retry();
    const looks = pauses();
    for (;;) {
      if (saga === null || (saga && isSettled(saga))) {
        resends.forget(id);
        return saga;
      }
      if (Date.now() >= last) return saga;
      const driven = saga && { id, saga };
      const next = Math.max(driven ? await nextPush(driven) : 0, retry.at);
      if (driven && next <= Date.now()) {
        const pushed = await orLog(id, () => pushOn(state, driven, Math.min(last, Date.now() + PUSH_PATIENCE)));
        if (pushed === undefined) retry.later();
        saga = Date.now() < last ? (pushed?.saga ?? saga) : await read();
        continue;
      }
      // Whoever drives a checkout by calls tells nobody of its end.
      const look = saga && !goesByEvents(saga) ? Date.now() + looks.next().value : Infinity;
      const news = await watch.next(Math.max(1, Math.min(next, look, last) - Date.now()));
      saga = news === "look" || news === null ? await read() : news;
      if (saga === undefined) retry.later();
    }
  } finally {
    watch.end();
  }
}

/** Logs a failure: the saga's record stays, and whoever looks next does what failed. @returns undefined where it failed */
async function orLog<T>(saga: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    log("warn", "saga", { service: "order", saga, error: describe(error, false) });
    return undefined;
  }
}
