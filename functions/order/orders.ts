import { CheckoutRunningError, Refusal } from "../errors.ts";
import { product, sum } from "../numbers.ts";

/** An order as it is stored. */
export interface Order {
  readonly user: string;
  readonly items: readonly (readonly [item: string, quantity: number])[];
  readonly total: number;
  readonly paid: boolean;
  /** A new one each time that an order is made under the same id. */
  readonly generation: string;
  /** The saga of its latest checkout that is settled; that of one which runs is in the claim. */
  readonly checkout?: string;
}

/** Held by the one saga that may run for an order. The order does not change while it is there. */
export interface Claim {
  readonly saga: string;
}

/** An order's lines are read and written in one transaction, which this bounds. */
export const MAX_LINES = 1_000;

export const orderKey = (id: string): string => `order:${id}`;
export const CLAIMS = "claim:";
export const claimKey = (order: string): string => `${CLAIMS}${order}`;

/** @throws Refusal unknown_order */
export function known(order: Order | null, id: string): Order {
  if (order === null) throw new Refusal("unknown_order", `there is no order ${id}`);
  return order;
}

export function newOrder(user: string, generation: string): Order {
  return { user, items: [], total: 0, paid: false, generation };
}

/**
 * Adds `quantity` of an item at today's price. A second line of the same item is merged with the first.
 * @throws Refusal order_paid, too_many_items, amount_out_of_range
 */
export function addItem(order: Order, item: string, quantity: number, price: number): Order {
  if (order.paid) throw new Refusal("order_paid", "the order is paid");
  const total = sum("the order's total", order.total, product("the order's total", price, quantity));
  const present = order.items.find(([id]) => id === item);
  if (present === undefined && order.items.length >= MAX_LINES) {
    throw new Refusal("too_many_items", `an order has at most ${MAX_LINES} different items`);
  }
  const together = sum("the item's quantity", present?.[1] ?? 0, quantity);
  const items = present
    ? order.items.map((line) => (line === present ? ([item, together] as const) : line))
    : [...order.items, [item, quantity] as const];
  return { ...order, items, total };
}

/** Nothing may change an order while its checkout runs. @throws CheckoutRunningError */
export function assertFree(claim: Claim | null, order: string): void {
  if (claim !== null) throw new CheckoutRunningError(`the checkout of order ${order} is running`);
}
