/** What each service does with a message, by its own rules: the on-events.ts of functions/order, stock and payment. */
import { aboutOf, type Outgoing } from "../../functions/events/messages.ts";
import { outbox } from "../../functions/order/outbox.ts";
import { claimKey, orderKey, type Claim, type Order } from "../../functions/order/orders.ts";
import {
  abandon,
  close,
  LostRaceError,
  NOT_ITS_ORDER,
  pay,
  sagaKey,
  UNDO_ALL,
  undone,
  type Found,
  type Saga,
} from "../../functions/order/sagas.ts";
import { charge, chargeKey, refund, type Charge } from "../../functions/payment/charges.ts";
import { userKey, type User } from "../../functions/payment/users.ts";
import { itemKey, type Item } from "../../functions/stock/items.ts";
import { release, reservationKey, reserve, type Reservation } from "../../functions/stock/reservations.ts";
import { ORDER, row, type Changes, type Rows } from "../saga/state.ts";
import type { EventFlaw } from "./flaws.ts";

interface Effect {
  readonly set: Changes;
  readonly following: readonly Outgoing[];
}

const NOTHING: Effect = { set: [], following: [] };

/** What the message does to the rows, and what is to be sent then. */
export function handled(rows: Rows, event: Outgoing, flaw: EventFlaw | undefined): Effect {
  switch (event.to) {
    case "stock":
      return withoutTombstone(stock(rows, event.message), flaw);
    case "payment":
      return withoutTombstone(payment(rows, event.message), flaw);
    case "order":
      return order(rows, event.message, flaw);
  }
}

/** Mutant: a marker that stands alone is the tombstone of a step that was never done. */
function withoutTombstone(effect: Effect, flaw: EventFlaw | undefined): Effect {
  const isTombstone = effect.set.length === 1 && /released|refunded/.test(JSON.stringify(effect.set));
  return flaw === "no tombstone for a message" && isTombstone ? { ...effect, set: [] } : effect;
}

function stock(rows: Rows, message: Extract<Outgoing, { to: "stock" }>["message"]): Effect {
  const about = aboutOf(message);
  const marker = row<Reservation>(rows, reservationKey(message.saga));
  const find = (id: string): Item | null => row<Item>(rows, itemKey(id));
  if (message.type === "checkout_started") {
    const { set, refusal } = reserve(message.saga, message.lines, marker, find);
    const { user, amount } = message;
    if (refusal === undefined)
      return { set, following: [{ to: "payment", message: { type: "stock_reserved", ...about, user, amount } }] };
    const { code } = refusal;
    if (code === "step_compensated") return { set, following: [] };
    return {
      set,
      following: [{ to: "order", message: { type: "stock_refused", ...about, refusal: { code, message: "" } } }],
    };
  }
  const why = message.type === "payment_refused" ? { refusal: message.refusal } : {};
  return {
    set: release(message.saga, marker, find, why.refusal),
    following: [{ to: "order", message: { type: "stock_released", ...about, ...why } }],
  };
}

function payment(rows: Rows, message: Extract<Outgoing, { to: "payment" }>["message"]): Effect {
  const about = aboutOf(message);
  const marker = row<Charge>(rows, chargeKey(message.saga));
  const find = (id: string): User | null => row<User>(rows, userKey(id));
  if (message.type === "refund")
    return {
      set: refund(message.saga, marker, find),
      following: [{ to: "order", message: { type: "payment_refunded", ...about } }],
    };
  const { set, refusal } = charge(message.saga, message.user, message.amount, marker, find);
  if (refusal === undefined)
    return { set, following: [{ to: "order", message: { type: "payment_charged", ...about } }] };
  const { code } = refusal;
  if (code === "step_compensated") return { set, following: [] };
  return {
    set,
    following: [{ to: "stock", message: { type: "payment_refused", ...about, refusal: { code, message: "" } } }],
  };
}

function order(
  rows: Rows,
  message: Extract<Outgoing, { to: "order" }>["message"],
  flaw: EventFlaw | undefined,
): Effect {
  const id = message.saga;
  const current = row<Saga>(rows, sagaKey(id));
  if (current === null) return NOTHING;
  const found: Found = {
    saga: current,
    order: row<Order>(rows, orderKey(ORDER)),
    claim: row<Claim>(rows, claimKey(ORDER)),
  };
  const stepUndone = (step: string): Effect => {
    const closes = flaw === "close before both answers" && current.state === "compensating";
    const { set } = closes ? close(id, current, found) : undone(id, found, step);
    return { set, following: [] };
  };
  try {
    switch (message.type) {
      case "payment_charged": {
        const known: Saga =
          flaw === "a late charge pays" && current.state === "compensating"
            ? { ...current, state: "running" }
            : current;
        const moved = pay(id, known, { ...found, saga: known }) ?? abandon(id, current, found, UNDO_ALL, NOT_ITS_ORDER);
        return { set: moved.set, following: outbox(id, moved.saga) };
      }
      case "stock_refused":
        return { set: abandon(id, current, found, [], failureOf(message.refusal)).set, following: [] };
      case "stock_released":
        if (message.refusal === undefined || current.state === "compensating") return stepUndone("reserve");
        return { set: abandon(id, current, found, [], failureOf(message.refusal)).set, following: [] };
      case "payment_refunded":
        return stepUndone("charge");
    }
  } catch (error) {
    if (!(error instanceof LostRaceError)) throw error;
    return { set: [], following: message.type === "payment_charged" ? outbox(id, current) : [] };
  }
}

const failureOf = (refusal: { readonly code: string; readonly message: string }) =>
  ({ kind: "refused", ...refusal }) as NonNullable<Saga["failure"]>;
