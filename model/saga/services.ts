/** The stock and the payment service: what a call does, by their own rules. */
import { charge, chargeKey, forget as forgetCharge, refund, type Charge } from "../../functions/payment/charges.ts";
import { userKey, type User } from "../../functions/payment/users.ts";
import { itemKey, type Item } from "../../functions/stock/items.ts";
import {
  forget as forgetReservation,
  release,
  reservationKey,
  reserve,
  type Reservation,
} from "../../functions/stock/reservations.ts";
import type { SagaFlaw } from "./flaws.ts";
import {
  ITEM,
  ORDER,
  row,
  USER,
  withStory,
  written,
  type Call,
  type Changes,
  type Rows,
  type SagaState,
  type Story,
} from "./state.ts";

export type Answer = "done" | "refused" | "too late";

/** Runs a call, however often it comes. */
export function deliver(
  state: SagaState,
  call: Call,
  id: string,
  flaw: SagaFlaw | undefined,
): { readonly next: SagaState; readonly answer: Answer } {
  // `assertRecent` of functions/handler/steps.ts stands before the steps, the signature's age before late calls of any kind.
  if (state.expired.includes(id) && (call === "reserve" || call === "charge") && flaw !== "age not checked")
    return { next: state, answer: "too late" };
  const { set, refusal } = decide(state.rows, call, flaw === "marker derived from the order id" ? ORDER : id);
  const skipped =
    (flaw === "no tombstone" && isTombstoneOnly(call, set)) || (flaw === "refusal not marked" && refusal !== undefined);
  const next = told({ ...state, rows: written(state.rows, skipped ? [] : set) }, state.rows, id);
  if (refusal === undefined) return { next, answer: "done" };
  // TOO_LATE of functions/order/peers.ts.
  return {
    next,
    answer: refusal.code === "step_compensated" || refusal.code === "saga_expired" ? "too late" : "refused",
  };
}

function decide(rows: Rows, call: Call, id: string): { set: Changes; refusal?: { readonly code: string } } {
  const findItem = (item: string): Item | null => row<Item>(rows, itemKey(item));
  const findUser = (user: string): User | null => row<User>(rows, userKey(user));
  const reservation = row<Reservation>(rows, reservationKey(id));
  const charged = row<Charge>(rows, chargeKey(id));
  switch (call) {
    case "reserve":
      return reserve(id, [[ITEM, 1]], reservation, findItem);
    case "charge":
      return charge(id, USER, 1, charged, findUser);
    case "release":
      return { set: release(id, reservation, findItem) };
    case "refund":
      return { set: refund(id, charged, findUser) };
  }
}

const isTombstoneOnly = (call: Call, set: Changes): boolean =>
  (call === "release" || call === "refund") && set.length === 1;

/** The markers of a saga go, in one service after the other. */
export function forget(state: SagaState, service: "stock" | "payment", id: string): SagaState {
  const { rows } = state;
  const set =
    service === "stock"
      ? forgetReservation(id, row<Reservation>(rows, reservationKey(id)), (item) => row<Item>(rows, itemKey(item)))
      : forgetCharge(id, row<Charge>(rows, chargeKey(id)), (user) => row<User>(rows, userKey(user)));
  return { ...state, rows: written(rows, set) };
}

/** Notes what really happened, from the rows alone: no marker is believed. */
function told(state: SagaState, before: Rows, id: string): SagaState {
  const story = state.stories[id] as Story;
  const credit =
    (row<User>(before, userKey(USER)) as User).credit - (row<User>(state.rows, userKey(USER)) as User).credit;
  const stock = (row<Item>(before, itemKey(ITEM)) as Item).stock - (row<Item>(state.rows, itemKey(ITEM)) as Item).stock;
  if (credit > 0) return withStory(state, id, { charges: story.charges + 1, chargedRow: state.made.user });
  if (stock > 0) return withStory(state, id, { reserves: story.reserves + 1, reservedRow: state.made.item });
  return state;
}
