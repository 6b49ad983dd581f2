import { failPoints, type FailPointKind } from "redis-occ/fail-points";

/** The places of the functions at which a test may kill, delay or fail the process (see redis-occ/fail-points). */
export const SHOP_FAIL_POINTS = {
  /** A checkout has read its request; nothing of it is written. */
  "saga.start.before": "plain",
  /** The order is claimed and the intent durable. */
  "saga.start.after": "plain",
  "saga.reserve.before": "plain",
  "saga.reserve.after": "plain",
  "saga.charge.before": "plain",
  "saga.charge.after": "plain",
  /** The order is about to become paid. */
  "saga.paid.before": "plain",
  "saga.paid.after": "plain",
  /** What has to be undone is about to be written down. */
  "saga.abandoned.before": "plain",
  "saga.abandoned.after": "plain",
  "saga.refund.before": "plain",
  "saga.refund.after": "plain",
  "saga.release.before": "plain",
  "saga.release.after": "plain",
  /** All is undone, and the order is about to be free again. */
  "saga.closed.before": "plain",
  "saga.closed.after": "plain",
  /** A request to another service is about to leave. */
  "call.before": "drop",
  /** Its answer has come. */
  "call.after": "drop",
  /** The handler has its answer, and the caller does not. */
  "answer.before": "plain",
} as const satisfies Readonly<Record<string, FailPointKind>>;

/** Fail points that only a checkout by events passes. */
export const EVENT_FAIL_POINTS = {
  /** What a message asked for is durable, and what follows from it is about to be sent. */
  "event.send.before": "plain",
  /** It is in the queue. */
  "event.send.after": "plain",
  /** A batch of messages is handled, and the queue has not been told. */
  "event.answer.before": "plain",
} as const satisfies Readonly<Record<string, FailPointKind>>;

export const failPoint = failPoints({ ...SHOP_FAIL_POINTS, ...EVENT_FAIL_POINTS });
