import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { json, type Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { Id } from "../http/parameters.ts";

/** What every step of a saga is called with. */
export const step = {
  saga: Id,
  /** When the saga started; milliseconds since 1970. */
  startedAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
};

/** The sagas whose markers are to be dropped. */
export const sagas = v.pipe(v.array(Id), v.minLength(1), v.maxLength(100));

/**
 * Markers are dropped after the retention, so a step of an older saga could no longer tell that it has run before.
 * @throws Refusal saga_expired
 */
export function assertRecent(
  { saga, startedAt }: { readonly saga: string; readonly startedAt: number },
  now: number,
  retention: number,
): void {
  if (now - startedAt > retention)
    throw new Refusal("saga_expired", `saga ${saga} is older than the retention of markers`);
}

/** A refused step is answered once its refusal is durable: its marker is written like any other. */
export function stepAnswer(refusal: Refusal | undefined): Answer {
  return refusal === undefined ? json({ done: true }) : errorAnswer(refusal);
}
