/** The rows of three services, whoever drives sagas, and what the network holds. All of it is immutable. */
import type { Claim, Order } from "../../functions/order/orders.ts";
import type { Saga } from "../../functions/order/sagas.ts";
import type { Charge } from "../../functions/payment/charges.ts";
import type { User } from "../../functions/payment/users.ts";
import type { Item } from "../../functions/stock/items.ts";
import type { Reservation } from "../../functions/stock/reservations.ts";

export type Rows = Readonly<Record<string, Order | Claim | Saga | Item | Reservation | User | Charge>>;

/** The steps of CHECKOUT in functions/order/saga-steps.ts, which name their calls. */
export const STEPS = ["reserve", "charge"] as const;
export type StepName = (typeof STEPS)[number];
export type Call = StepName | "release" | "refund";
export const UNDO: Record<StepName, Call> = { reserve: "release", charge: "refund" };

/** Whoever drives a saga: the request that started it, or a resumer. */
export interface Driver {
  readonly stage: "new" | "forwards" | "pay" | "abandon" | "undo" | "close" | "gone";
  readonly id: string;
  /** The saga as this driver knows it. */
  readonly saga: Saga | null;
  readonly attempted: readonly StepName[];
  /** True if a step was refused for good, so that it need not be undone. */
  readonly refused: boolean;
  /** Steps still to be undone. */
  readonly undo: readonly string[];
}

/** What really happened to one saga, which nobody in the system knows. */
export interface Story {
  /** How often the step had an effect, and on which making of the row the last one was. */
  readonly charges: number;
  readonly reserves: number;
  readonly chargedRow: number;
  readonly reservedRow: number;
  readonly outcome: "open" | "paid" | "failed";
  /** Which making of the order it was started for. */
  readonly order: number;
  readonly wrongOrder: boolean;
}

export interface SagaState {
  readonly rows: Rows;
  /** Checkout requests first, then resumers. */
  readonly drivers: readonly Driver[];
  /** Every call that was ever sent, `call saga`: each may come again, however late. */
  readonly sent: readonly string[];
  /** Past their deadline; past the retention. */
  readonly overdue: readonly string[];
  readonly expired: readonly string[];
  readonly stories: Readonly<Record<string, Story>>;
  /** How often the order, the item and the user were made anew. */
  readonly made: { readonly order: number; readonly item: number; readonly user: number };
  /** Credit that was added later to the user as it is now. */
  readonly funded: number;
  readonly budget: { readonly crashes: number; readonly remakes: number; readonly funds: number };
}

export const ORDER = "o";
export const ITEM = "i";
export const USER = "u";

export const NOBODY: Driver = { stage: "gone", id: "", saga: null, attempted: [], refused: false, undo: [] };

/** What a transaction makes of rows; null deletes. */
export type Changes = readonly (readonly [key: string, row: Rows[string] | null])[];

/** Rows after a transaction, in the order of their keys. */
export function written(rows: Rows, changes: Changes): Rows {
  const next = Object.entries({ ...rows, ...Object.fromEntries(changes) }).filter(
    (entry): entry is [string, Rows[string]] => entry[1] !== null,
  );
  return Object.fromEntries(next.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function row<T extends Rows[string]>(rows: Rows, key: string): T | null {
  return (rows[key] as T | undefined) ?? null;
}

export function withDriver(state: SagaState, d: number, change: Partial<Driver>): SagaState {
  return { ...state, drivers: state.drivers.map((driver, i) => (i === d ? { ...driver, ...change } : driver)) };
}

export function withStory(state: SagaState, id: string, change: Partial<Story>): SagaState {
  return { ...state, stories: { ...state.stories, [id]: { ...(state.stories[id] as Story), ...change } } };
}

export const including = (list: readonly string[], entry: string): readonly string[] =>
  list.includes(entry) ? list : [...list, entry].sort();
