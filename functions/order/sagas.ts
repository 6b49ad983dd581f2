import { Refusal, type RefusalCode } from "../errors.ts";
import { claimKey, orderKey, type Claim, type Order } from "./orders.ts";

/** Why a checkout ended unpaid. */
export interface Failure {
  /** "refused": by a rule, with its code; "aborted": a service did not answer (in time). */
  readonly kind: "refused" | "aborted";
  readonly code: RefusalCode | "checkout_aborted";
  readonly message: string;
}

/**
 * The record of one checkout. It goes `running` → `paid` or `running` → (`compensating` →) `failed`, and no other way.
 * Each transition compares the version, so one of two drivers loses and stops.
 */
export interface Saga {
  readonly order: string;
  /** The generation of the order that it started with. An order that is made anew under the same id has another one. */
  readonly generation: string;
  readonly user: string;
  readonly items: Order["items"];
  readonly total: number;
  readonly state: "running" | "paid" | "compensating" | "failed";
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When others may take over and compensate; milliseconds since 1970. */
  readonly deadline: number;
  /** The steps whose effects have to be undone, in the order of undoing; durable before any of it starts. */
  readonly undo?: readonly string[];
  readonly failure?: Failure;
  /** W3C traceparent of the request that began it: whoever goes on with it belongs to the same trace. */
  readonly traceparent?: string;
  /** "events": any process with SAGA=events goes forwards with it. Absent: its steps are calls, and only its driver does. */
  readonly mode?: "events";
}

/** The names of a checkout's steps, in the order in which they are undone. */
export const UNDO_ALL = ["charge", "reserve"] as const;

const aborted = (message: string): Failure => ({ kind: "aborted", code: "checkout_aborted", message });
/** Nobody has driven it to its end in time. */
export const LATE = aborted("the checkout did not end in time");
/** A step was not done, or may not have been. What its error says is for the request log: it may name addresses and code. */
export const NOT_DONE = aborted("a service did not do its part in time, or failed");
/** The order was made anew meanwhile. */
export const NOT_ITS_ORDER = aborted("the order is no longer this checkout's");

export const SAGAS = "saga:";
export const sagaKey = (id: string): string => `${SAGAS}${id}`;

/** What a transition reads in its own transaction: the saga as it is now, its order, and the claim on that order. */
export interface Found {
  readonly saga: Saga | null;
  readonly order: Order | null;
  readonly claim: Claim | null;
}

/** Rows that change, by key; null deletes. */
export type SagaChanges = readonly (readonly [key: string, row: Saga | Order | Claim | null])[];

/** The saga after a transition, and what is to be written. */
export interface Moved {
  readonly saga: Saga;
  readonly set: SagaChanges;
}

/** Another driver has moved the saga on, so this one stops and looks what became of it. */
export class LostRaceError extends Error {
  override readonly name = "LostRaceError";
}

export function isSettled(saga: Saga): boolean {
  return saga.state === "paid" || saga.state === "failed";
}

/**
 * Whether others may take the saga over: its deadline is past, or so far ahead that the clock which set it was wrong. A
 * clock that is wrong by less than the saga's own time only makes this earlier or later.
 */
export function isOverdue({ startedAt, deadline }: Pick<Saga, "startedAt" | "deadline">, now: number): boolean {
  const left = deadline - now;
  return left <= 0 || left > 2 * (deadline - startedAt);
}

/**
 * Which of the attempted steps have to be undone. A refused step has left its own marker; only those before it have an effect.
 * @param attempted the last one first
 */
export function stepsToUndo<Step>(attempted: readonly Step[], refused: boolean): readonly Step[] {
  return refused ? attempted.slice(1) : attempted;
}

/** The intent: the order is claimed and the saga runs. @throws Refusal empty_order */
export function start(
  id: string,
  orderId: string,
  order: Order,
  at: {
    readonly now: number;
    readonly timeout: number;
    readonly traceparent?: string | undefined;
    readonly mode?: "sync" | "events";
  },
): Moved {
  if (order.items.length === 0) throw new Refusal("empty_order", `order ${orderId} has no items`);
  const saga: Saga = {
    order: orderId,
    generation: order.generation,
    user: order.user,
    items: order.items,
    total: order.total,
    state: "running",
    version: 1,
    startedAt: at.now,
    deadline: at.now + at.timeout,
    ...(at.traceparent === undefined ? {} : { traceparent: at.traceparent }),
    ...(at.mode === "events" ? { mode: at.mode } : {}),
  };
  return {
    saga,
    set: [
      [sagaKey(id), saga],
      [claimKey(orderId), { saga: id }],
    ],
  };
}

/**
 * `running` → `paid`, with the order.
 * @returns null if the order is no longer this saga's, so that it has to be compensated
 * @throws LostRaceError
 */
export function pay(id: string, expected: Saga, { saga: current, order, claim }: Found): Moved | null {
  assertCurrent(expected, current, "running");
  if (claim?.saga !== id || order?.generation !== expected.generation) return null;
  const saga: Saga = { ...expected, state: "paid", version: expected.version + 1 };
  return {
    saga,
    set: [
      [sagaKey(id), saga],
      [orderKey(saga.order), { ...order, paid: true, checkout: id }],
      [claimKey(saga.order), null],
    ],
  };
}

/**
 * `running` → `compensating`; straight to `failed` where nothing has to be undone.
 * @throws LostRaceError
 */
export function abandon(id: string, expected: Saga, found: Found, undo: readonly string[], failure: Failure): Moved {
  assertCurrent(expected, found.saga, "running");
  const version = expected.version + 1;
  if (undo.length > 0) {
    const saga: Saga = { ...expected, state: "compensating", version, undo, failure };
    return { saga, set: [[sagaKey(id), saga]] };
  }
  return failed(id, { ...expected, version, failure }, found);
}

/** `compensating` → `failed`: all is undone, the order is free again. @throws LostRaceError */
export function close(id: string, expected: Saga, found: Found): Moved {
  assertCurrent(expected, found.saga, "compensating");
  return failed(id, { ...expected, version: expected.version + 1 }, found);
}

/**
 * One of the steps is undone: `compensating` → `failed` with the last one.
 * @throws LostRaceError where the saga does not wait for it
 */
export function undone(id: string, found: Found, step: string): Moved {
  const { saga: current } = found;
  if (current?.state !== "compensating" || current.undo?.includes(step) !== true)
    throw new LostRaceError(`the saga is ${current?.state ?? "gone"}, and does not wait for its ${step} to be undone`);
  const undo = current.undo.filter((name) => name !== step);
  if (undo.length === 0) return close(id, current, found);
  const saga: Saga = { ...current, version: current.version + 1, undo };
  return { saga, set: [[sagaKey(id), saga]] };
}

function failed(id: string, last: Saga, { order, claim }: Found): Moved {
  const saga: Saga = { ...last, state: "failed" };
  const free: SagaChanges = claim?.saga === id ? [[claimKey(saga.order), null]] : [];
  const noted: SagaChanges =
    order?.generation === last.generation && claim?.saga === id
      ? [[orderKey(saga.order), { ...order, checkout: id }]]
      : [];
  return { saga, set: [[sagaKey(id), saga], ...free, ...noted] };
}

function assertCurrent(expected: Saga, current: Saga | null, state: Saga["state"]): void {
  if (current?.version !== expected.version || current.state !== state)
    throw new LostRaceError(`the saga is ${current?.state ?? "gone"}`);
}
