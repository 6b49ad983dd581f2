/** Where stock and credit went, as the records of the three logs tell. */
import { SAGAS, type Saga } from "../functions/order/sagas.ts";
import type { Charge } from "../functions/payment/charges.ts";
import { userKey } from "../functions/payment/users.ts";
import type { ServiceName } from "../functions/settings/services.ts";
import { itemKey } from "../functions/stock/items.ts";
import type { Reservation } from "../functions/stock/reservations.ts";
import type { ShopRecord } from "./laws.ts";

/** Sums over all rows of a service. */
export interface Sums {
  /** Created, added, and what a batch made of its rows. */
  putIn: number;
  /** Taken directly, by no checkout. */
  takenOut: number;
  /** Taken by checkouts, less what they gave back. */
  spent: number;
  /** Changed by restores to an earlier state. */
  turnedBack: number;
  left: number;
}

export interface AuditResult {
  readonly checkouts: { readonly paid: number; readonly failed: number; readonly open: number };
  readonly credit: Sums;
  readonly stock: Sums;
  readonly violations: readonly string[];
}

/** One checkout: how it ended in the order service, and what it holds of the others. */
interface Checkout {
  saga: Saga | null;
  charge: Charge | null;
  reservation: Reservation | null;
}

/**
 * Takes the records of each service in their order, and the services in any order. Needs memory for each row, and for
 * each checkout there ever was.
 */
export class Accounts {
  readonly #checkouts = new Map<string, Checkout>();
  readonly #credit = new Account("user:", "credit");
  readonly #stock = new Account("item:", "stock");

  add(service: ServiceName, { op, set }: ShopRecord): void {
    if (service === "stock") this.#stock.add(op, set);
    if (service === "payment") this.#credit.add(op, set);
    for (const [key, image] of Object.entries(set)) {
      // What is forgotten after its retention stays done; what a restore takes away never happened.
      if (image === null && op !== "restore") continue;
      const id = key.slice(key.indexOf(":") + 1);
      if (key.startsWith(SAGAS)) this.#checkout(id).saga = image as Saga | null;
      if (key.startsWith("charge:")) this.#mark(id, op, { charge: image as Charge | null });
      if (key.startsWith("reservation:")) this.#mark(id, op, { reservation: image as Reservation | null });
    }
  }

  /** A marker that is turned back need not have its row beside it: that may have come to the same value by other ways. */
  #mark(id: string, op: string, marker: Partial<Pick<Checkout, "charge" | "reservation">>): void {
    const checkout = this.#checkout(id);
    const before = holdingsOf(checkout);
    Object.assign(checkout, marker);
    if (op !== "restore") return;
    for (const [row] of [...before, ...holdingsOf(checkout)])
      for (const account of [this.#stock, this.#credit]) account.replace(row);
  }

  result(): AuditResult {
    const violations = [...this.#stock.violations, ...this.#credit.violations];
    const checkouts = { paid: 0, failed: 0, open: 0 };
    const payers = new Map<string, string>();
    const holdings = new Map<string, number>();
    for (const [id, checkout] of this.#checkouts) {
      const { saga } = checkout;
      for (const [key, amount] of holdingsOf(checkout)) holdings.set(key, (holdings.get(key) ?? 0) + amount);
      violations.push(...judge(id, checkout));
      if (saga === null) continue;
      checkouts[saga.state === "paid" || saga.state === "failed" ? saga.state : "open"]++;
      if (saga.state !== "paid") continue;
      const order = `${saga.order} ${saga.generation}`;
      const other = payers.get(order);
      if (other !== undefined)
        violations.push(`order ${saga.order} was paid twice, by checkout ${other} and by checkout ${id}`);
      payers.set(order, id);
    }
    violations.push(...this.#stock.compare(holdings), ...this.#credit.compare(holdings));
    return { checkouts, credit: this.#credit.sums, stock: this.#stock.sums, violations };
  }

  #checkout(id: string): Checkout {
    let checkout = this.#checkouts.get(id);
    if (checkout === undefined) this.#checkouts.set(id, (checkout = { saga: null, charge: null, reservation: null }));
    return checkout;
  }
}

/** A paid checkout has both effects, a failed one neither; one that is open may have either. */
function judge(id: string, { saga, charge, reservation }: Checkout): string[] {
  const charged = chargedBy(charge);
  const reserved = reservedBy(reservation);
  if (saga === null)
    return charged === 0 && reserved === ""
      ? []
      : [`checkout ${id} is unknown to the order service, and holds ${held(charged, reserved)}`];
  if (saga.state !== "paid" && saga.state !== "failed") return [];
  const owed =
    saga.state === "paid" ? { charged: saga.total, reserved: text(saga.items) } : { charged: 0, reserved: "" };
  if (charged === owed.charged && reserved === owed.reserved) return [];
  return [
    `checkout ${id} is ${saga.state}, and should hold ${held(owed.charged, owed.reserved)}: it holds ${held(charged, reserved)}`,
  ];
}

function held(charged: number, reserved: string): string {
  return `${charged} of credit and ${reserved === "" ? "no stock" : `stock ${reserved}`}`;
}

/** The rows that a checkout has taken from, and how much of each. */
function holdingsOf({ charge, reservation }: Checkout): (readonly [key: string, amount: number])[] {
  return [
    ...(charge?.state === "charged" ? [[userKey(charge.user), charge.amount] as const] : []),
    ...(reservation?.state === "reserved"
      ? reservation.lines.map(({ item, quantity }) => [itemKey(item), quantity] as const)
      : []),
  ];
}

function chargedBy(marker: Charge | null): number {
  return marker?.state === "charged" ? marker.amount : 0;
}

function reservedBy(marker: Reservation | null): string {
  return marker?.state === "reserved" ? text(marker.lines.map(({ item, quantity }) => [item, quantity])) : "";
}

function text(lines: readonly (readonly [item: string, quantity: number])[]): string {
  return lines
    .map(([item, quantity]) => `${quantity}×${item}`)
    .sort()
    .join(" ");
}

/** The rows of one service that have an amount. */
class Account {
  readonly sums: Sums = { putIn: 0, takenOut: 0, spent: 0, turnedBack: 0, left: 0 };
  readonly violations: string[] = [];
  /** Rows that were made anew over another one, or turned back: what checkouts held of them is in no sum any more. */
  readonly #replaced = new Set<string>();
  readonly #spent = new Map<string, number>();
  readonly #prefix: string;
  readonly #member: string;
  readonly #amounts = new Map<string, number>();

  constructor(prefix: string, member: string) {
    this.#prefix = prefix;
    this.#member = member;
  }

  add(op: string, set: ShopRecord["set"]): void {
    for (const [key, image] of Object.entries(set)) {
      if (!key.startsWith(this.#prefix)) continue;
      const amount = Number((image as Readonly<Record<string, unknown>> | null)?.[this.#member] ?? 0);
      const before = this.#amounts.get(key);
      if (amount < 0) this.violations.push(`${key} has a ${this.#member} of ${amount}`);
      this.#amounts.set(key, amount);
      this.sums.left += amount - (before ?? 0);
      this.#book(op, key, amount - (before ?? 0), before !== undefined);
    }
  }

  /** What checkouts hold of this row says nothing any more. */
  replace(key: string): void {
    this.#replaced.add(key);
  }

  /** Checks that as much was taken of each row as checkouts hold of it. @param holdings by row, of all services */
  compare(holdings: ReadonlyMap<string, number>): string[] {
    const rows = new Set([...this.#spent.keys(), ...holdings.keys()].filter((key) => key.startsWith(this.#prefix)));
    return [...rows].flatMap((key) => {
      const [taken, holding] = [this.#spent.get(key) ?? 0, holdings.get(key) ?? 0];
      return taken === holding || this.#replaced.has(key)
        ? []
        : [`${taken} of the ${this.#member} of ${key} were taken by checkouts, and these hold ${holding} of it`];
    });
  }

  #book(op: string, key: string, by: number, wasThere: boolean): void {
    switch (op) {
      case "subtract":
      case "pay":
        this.sums.takenOut -= by;
        break;
      case "reserve":
      case "release":
      case "charge":
      case "refund":
        this.sums.spent -= by;
        this.#spent.set(key, (this.#spent.get(key) ?? 0) - by);
        break;
      case "restore":
        this.sums.turnedBack += by;
        this.#replaced.add(key);
        break;
      default:
        this.sums.putIn += by;
        if (op === "batch_init" && wasThere) this.#replaced.add(key);
    }
  }
}
