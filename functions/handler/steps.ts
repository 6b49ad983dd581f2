import type { LoggedRedis } from "log-replay";
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { json, type Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { VALIDITY } from "../calls/signature.ts";
import { Id } from "../http/parameters.ts";

/** What every step of a saga is called with. */
export const step = {
  saga: Id,
  /** When the saga started; milliseconds since 1970. */
  startedAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
};

/** What a reservation is of: quantities of items. */
export const lines = v.pipe(v.array(v.tuple([Id, v.pipe(v.number(), v.safeInteger(), v.minValue(1))])), v.minLength(1));

/** Who is charged, and how much. */
export const charged = { user: Id, amount: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) };

/** A saga, and when it started; milliseconds since 1970. */
export interface SagaStart {
  readonly saga: string;
  readonly startedAt: number;
}

/** What a step works with, whoever asks for it: a route or a queue. */
export interface StepWork {
  readonly state: LoggedRedis;
  /** Milliseconds since 1970: when it was asked for, and by when it has to be done. */
  readonly now: number;
  readonly deadline: number;
}

/** The sagas whose markers are to be dropped. */
export const sagas = v.pipe(v.array(Id), v.minLength(1), v.maxLength(100));

/**
 * Markers are dropped after the retention, so a step of an older saga could no longer tell that it has run before. A message
 * may wait in a queue until just then, and whoever has markers dropped has a clock of their own: so a step is refused as long
 * before that as clocks may differ, which is as long as a signature is valid.
 * @throws Refusal saga_expired
 */
export function assertRecent({ saga, startedAt }: SagaStart, now: number, retention: number): void {
  if (now - startedAt > retention - VALIDITY)
    throw new Refusal("saga_expired", `saga ${saga} is older than the retention of markers`);
}

/**
 * Whether a saga is so old that its steps are refused for that, whatever the clocks of those who ask: undoing what is not
 * there then needs no marker, which nobody would ever drop.
 */
export function isForgotten({ startedAt }: SagaStart, now: number, retention: number): boolean {
  return now - startedAt > retention;
}

/** A refused step is answered after its refusal is durable: the marker of it is written like any other. */
export function stepAnswer(refusal: Refusal | undefined): Answer {
  return refusal === undefined ? json({ done: true }) : errorAnswer(refusal);
}
