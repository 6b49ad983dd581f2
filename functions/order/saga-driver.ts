import { setTimeout as sleep } from "node:timers/promises";
import { Refusal, ShopError, UnavailableError } from "../errors.ts";
import { describe, log } from "../request-log.ts";
import { remaining } from "../deadline.ts";
import type { DrivenSaga, SagaJournal } from "./saga-journal.ts";
import type { SagaStep } from "./saga-steps.ts";
import { traceNote } from "./saga-trace.ts";
import { LATE, NOT_DONE, NOT_ITS_ORDER, stepsToUndo, type Failure } from "./sagas.ts";
import type { Peers } from "./peers.ts";

/** Milliseconds: the pause before a call is repeated, at first and at most. */
const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 500;

export interface DriverOptions {
  readonly journal: SagaJournal;
  readonly peers: Peers;
  readonly steps: readonly SagaStep[];
  /** Milliseconds for one call to another service. */
  readonly stepTimeout: number;
}

/** The saga's time was over before its next step. */
class LateError extends UnavailableError {}

/**
 * Drives sagas, forwards and back. A driver needs no lease: each transition compares the saga's version, so if two
 * drive the same saga, one gets a LostRaceError and stops.
 */
export class SagaDriver {
  readonly #options: DriverOptions;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /**
   * Executes the steps of a saga that has just started, then makes it paid; or compensates what may have been done.
   * @param deadline by when it has to return, rollback included; milliseconds since 1970
   * @returns the saga as it was left: settled, or compensating where the time was too short
   * @throws LostRaceError; OccError and LogError where the saga's own state cannot be changed now
   */
  async run(driven: DrivenSaga, deadline: number): Promise<DrivenSaga> {
    const { journal, peers, steps, stepTimeout } = this.#options;
    const attempted: string[] = [];
    const forwards = Math.min(driven.saga.deadline, deadline);
    try {
      for (const step of steps) {
        // A process that was frozen in between: others may have taken over long ago.
        if (Date.now() >= forwards) throw new LateError("checkout_aborted", LATE.message);
        attempted.unshift(step.name);
        await patiently(forwards, stepTimeout, (timeout) => step.execute(peers, driven.id, driven.saga, timeout));
      }
    } catch (error) {
      if (!(error instanceof Refusal)) logFailure(driven, error);
      const undo = stepsToUndo(attempted, error instanceof Refusal);
      return this.compensate(await journal.abandoned(driven, undo, failureOf(error), remaining(deadline)), deadline);
    }
    const paid = await journal.paid(driven, remaining(deadline));
    if (paid !== null) return paid;
    return this.compensate(await journal.abandoned(driven, attempted, NOT_ITS_ORDER, remaining(deadline)), deadline);
  }

  /**
   * Gives up a saga that its driver has left running past its deadline. Nobody knows which steps were done, so all are
   * undone.
   */
  async takeOver(driven: DrivenSaga, deadline: number): Promise<DrivenSaga> {
    const { journal, steps } = this.#options;
    const undo = steps.map(({ name }) => name).reverse();
    return this.compensate(await journal.abandoned(driven, undo, LATE, remaining(deadline)), deadline);
  }

  /**
   * Undoes the steps that the saga names, the last one first, and tries each as often as it takes.
   * @returns the saga: failed, or still compensating where the deadline came first
   */
  async compensate(driven: DrivenSaga, deadline: number): Promise<DrivenSaga> {
    const { journal, peers, steps, stepTimeout } = this.#options;
    if (driven.saga.state !== "compensating") return driven;
    for (const name of driven.saga.undo ?? []) {
      const step = steps.find((candidate) => candidate.name === name);
      if (step === undefined) throw new Error(`saga ${driven.id} has to undo "${name}", which is no step`);
      try {
        await persistently(deadline, stepTimeout, (timeout) => step.compensate(peers, driven.id, driven.saga, timeout));
      } catch (error) {
        if (!(error instanceof ShopError)) throw error;
        logFailure(driven, error);
        return driven;
      }
    }
    return journal.closed(driven, remaining(deadline));
  }
}

/** Repeats a call until the deadline as long as it certainly was not done. The caller judges any other error. */
async function patiently(
  deadline: number,
  stepTimeout: number,
  call: (timeout: number) => Promise<void>,
): Promise<void> {
  await repeat(deadline, stepTimeout, call, (error) => error instanceof UnavailableError);
}

/**
 * Repeats a call until the deadline, whatever it is answered, until it is done. Not even a 400 ends that: a compensation is never
 * refused, so a 400 comes from something on the way.
 */
async function persistently(
  deadline: number,
  stepTimeout: number,
  call: (timeout: number) => Promise<void>,
): Promise<void> {
  await repeat(deadline, stepTimeout, call, (error) => error instanceof ShopError);
}

async function repeat(
  deadline: number,
  stepTimeout: number,
  call: (timeout: number) => Promise<void>,
  again: (error: unknown) => boolean,
): Promise<void> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await call(Math.max(1, Math.min(stepTimeout, remaining(deadline))));
    } catch (error) {
      if (!again(error) || remaining(deadline) <= pause) throw error;
      await sleep(pause);
    }
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof Refusal) return { kind: "refused", code: error.code, message: error.message };
  return error instanceof LateError ? LATE : NOT_DONE;
}

/** What the saga keeps, and its customer is told, does not say it. */
function logFailure({ id, saga }: DrivenSaga, error: unknown): void {
  const isBug = !(error instanceof ShopError);
  log(isBug ? "error" : "warn", "step", {
    service: "order",
    ...traceNote(saga),
    saga: id,
    error: describe(error, isBug),
  });
}
