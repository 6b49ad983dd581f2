/**
 * Whether each record of a log follows from the records before it. A commit that saw something that is not in the log,
 * or a step that was done twice, shows here, even if later commits have made up for it.
 */
import type { ServiceName } from "../functions/settings/services.ts";

/** A record of the shop. Each names its operation, and those of a checkout also name their saga. */
export interface ShopRecord {
  readonly epoch: number;
  readonly n: number;
  readonly op: string;
  readonly saga?: string;
  readonly set: Readonly<Record<string, unknown>>;
}

type Row = Readonly<Record<string, unknown>>;
type State = ReadonlyMap<string, unknown>;

/** @returns what breaks a law, in words */
export type Law = (record: ShopRecord, before: (key: string) => Row | null) => string[];

export function checkLaws(records: readonly ShopRecord[], law: Law): string[] {
  const state = new Map<string, unknown>();
  const problems: string[] = [];
  for (const record of records) {
    const broken = law(record, (key) => (state.get(key) as Row | undefined) ?? null);
    problems.push(...broken.map((problem) => `commit ${record.epoch}-${record.n} (${record.op}): ${problem}`));
    for (const [key, image] of Object.entries(record.set)) {
      if (image === null) state.delete(key);
      else state.set(key, image);
    }
  }
  return problems;
}

/** An amount taken from a row. The row's generation tells it from another row that is made under the same id. */
interface Move {
  readonly id: string;
  readonly amount: number;
  readonly generation: string;
}

/** All at once the state is that of an earlier time; it follows from no record before. */
const RESTORE = "restore";

/** What the stock and the payment service have in common: rows with an amount, and markers of the steps that moved it. */
interface Accounts {
  readonly row: string;
  readonly amount: string;
  readonly marker: string;
  readonly done: string;
  readonly undone: string;
  /** What a marker in state `done` moved. */
  readonly moved: (marker: Row) => readonly Move[];
}

const STOCK: Accounts = {
  row: "item:",
  amount: "stock",
  marker: "reservation:",
  done: "reserved",
  undone: "released",
  moved: (marker) =>
    (marker["lines"] as { item: string; quantity: number; generation: string }[]).map(
      ({ item, quantity, generation }) => ({ id: item, amount: quantity, generation }),
    ),
};

const PAYMENT: Accounts = {
  row: "user:",
  amount: "credit",
  marker: "charge:",
  done: "charged",
  undone: "refunded",
  moved: (marker) => [
    { id: marker["user"] as string, amount: marker["amount"] as number, generation: marker["generation"] as string },
  ],
};

/** By row id, for rows that are still the same. */
function total(moves: readonly Move[], sameRow: (move: Move) => boolean): Map<string, number> {
  const sum = new Map<string, number>();
  for (const move of moves) if (sameRow(move)) sum.set(move.id, (sum.get(move.id) ?? 0) + move.amount);
  return sum;
}

export const stockLaw: Law = (record, before) => accountLaw(STOCK, record, before);
export const paymentLaw: Law = (record, before) => accountLaw(PAYMENT, record, before);

function accountLaw(accounts: Accounts, { op, set }: ShopRecord, before: (key: string) => Row | null): string[] {
  const problems: string[] = [];
  if (op === RESTORE) return problems;
  const rows = Object.entries(set).filter(([key]) => key.startsWith(accounts.row)) as [string, Row][];
  for (const [key, row] of rows) {
    for (const name of [accounts.amount, "held"]) {
      if (!Number.isSafeInteger(row[name]) || Number(row[name]) < 0)
        problems.push(`${key} has a ${name} of ${String(row[name])}`);
    }
  }
  const change = (key: string, row: Row, name: string): number => Number(row[name]) - Number(before(key)?.[name]);
  const expectMoves = (marker: Row | null, sign: 1 | -1): void => {
    const moves = total(
      marker?.["state"] === accounts.done ? accounts.moved(marker) : [],
      ({ id, generation }) => before(accounts.row + id)?.["generation"] === generation,
    );
    for (const [id, amount] of moves) {
      const key = accounts.row + id;
      const row = rows.find(([candidate]) => candidate === key)?.[1];
      if (row === undefined) problems.push(`${key} is not in it, ${amount} should have been moved`);
      else if (change(key, row, accounts.amount) !== -sign * amount || change(key, row, "held") !== sign * amount) {
        problems.push(
          `${key} went from ${JSON.stringify(before(key))} to ${JSON.stringify(row)}, ${sign * amount} should have been held`,
        );
      }
    }
    if (rows.length !== moves.size) problems.push(`it writes ${rows.map(([key]) => key).join()}`);
  };
  const [markerKey, marker] = (Object.entries(set).find(([key]) => key.startsWith(accounts.marker)) ?? ["", null]) as [
    string,
    Row | null,
  ];
  const marked = markerKey === "" ? null : before(markerKey);

  switch (op) {
    case "create_item":
    case "create_user":
      for (const [key, row] of rows)
        if (before(key) !== null || row[accounts.amount] !== 0) problems.push(`${key} was there, or is not empty`);
      break;
    case "add":
    case "add_funds":
    case "subtract":
    case "pay":
      for (const [key, row] of rows) {
        const by = change(key, row, accounts.amount);
        if (!(op.startsWith("add") ? by > 0 : by < 0) || change(key, row, "held") !== 0)
          problems.push(`${key} changed by ${by}`);
      }
      break;
    case "reserve":
    case "charge":
      if (marked !== null) problems.push(`the step was ${String(marked["state"])} before`);
      expectMoves(marker, 1);
      break;
    case "release":
    case "refund":
      if (marker?.["state"] !== accounts.undone) problems.push(`the step is ${String(marker?.["state"])} now`);
      if (marked !== null && marked["state"] !== accounts.done)
        problems.push(`the step was ${String(marked["state"])} before`);
      expectMoves(marked, -1);
      break;
    case "batch_init":
    case "expire":
    case "forget":
      break;
    default:
      problems.push("an operation that is not known");
  }
  return problems;
}

/** From which state to which a saga may go by which operation. */
const TRANSITIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ["checkout", ["none running"]],
  ["saga_paid", ["running paid"]],
  ["saga_abandoned", ["running compensating", "running failed"]],
  ["saga_closed", ["compensating failed"]],
  ["saga_undone", ["compensating compensating", "compensating failed"]],
]);

export const orderLaw: Law = ({ op, saga: id, set }, before) => {
  const problems: string[] = [];
  if (op === RESTORE) return problems;
  const rows = Object.entries(set).filter(([key]) => key.startsWith("order:")) as [string, Row][];
  for (const [key, row] of rows) {
    const was = before(key);
    if (was?.["paid"] === true && op !== "batch_init") problems.push(`${key} was paid and is written again`);
    if (row["paid"] === true && op !== "saga_paid") problems.push(`${key} becomes paid`);
    if (op === "create_order" && was !== null) problems.push(`${key} was there`);
    if ((op === "add_item" || op === "batch_init") && before(`claim:${key.slice("order:".length)}`) !== null)
      problems.push(`${key} changes while its checkout runs`);
  }
  const saga = set[`saga:${id ?? ""}`] as Row | undefined;
  if (saga === undefined) return problems;
  const was = before(`saga:${id ?? ""}`);
  const transition = `${was === null ? "none" : String(was["state"])} ${String(saga["state"])}`;
  if (TRANSITIONS.get(op)?.includes(transition) !== true) problems.push(`saga ${id}: ${transition}`);
  if (saga["version"] !== Number(was?.["version"] ?? 0) + 1)
    problems.push(`saga ${id}: version ${String(was?.["version"])} is followed by ${String(saga["version"])}`);
  const claim = before(`claim:${String(saga["order"])}`);
  if (op === "checkout" && claim !== null)
    problems.push(`order ${String(saga["order"])} has a second saga beside ${String(claim["saga"])}`);
  if (op === "saga_paid" && claim?.["saga"] !== id)
    problems.push(`order ${String(saga["order"])} is not claimed by saga ${id}`);
  if (op === "saga_paid" && rows.length !== 1) problems.push(`saga ${id} is paid without its order`);
  return problems;
};

export const LAWS: Readonly<Record<ServiceName, Law>> = { order: orderLaw, stock: stockLaw, payment: paymentLaw };

/** Across the services, once all is quiet: a paid saga has both effects, any other has none, and no saga is open. */
export function checkSagas(order: State, stock: State, payment: State): string[] {
  const problems: string[] = [];
  const paid = new Map<string, string>();
  const effects = (id: string): string => {
    const [reservation, charge] = [stock.get(`reservation:${id}`), payment.get(`charge:${id}`)] as (Row | undefined)[];
    return `${reservation?.["state"] === "reserved" ? "reserved" : "-"} ${charge?.["state"] === "charged" ? "charged" : "-"}`;
  };
  for (const [key, value] of order) {
    if (key.startsWith("claim:")) problems.push(`${key} is still there`);
    if (!key.startsWith("saga:")) continue;
    const [id, saga] = [key.slice("saga:".length), value as Row];
    const expected =
      saga["state"] === "paid" ? "reserved charged" : saga["state"] === "failed" ? "- -" : "to be settled";
    if (effects(id) !== expected)
      problems.push(`saga ${id} is ${String(saga["state"])}, and its effects are: ${effects(id)}`);
    if (saga["state"] !== "paid") continue;
    const charge = payment.get(`charge:${id}`) as Row | undefined;
    if (charge?.["amount"] !== saga["total"])
      problems.push(`saga ${id} came to ${String(saga["total"])} and charged ${String(charge?.["amount"])}`);
    const once = `${String(saga["order"])} ${String(saga["generation"])}`;
    if (paid.has(once))
      problems.push(`order ${String(saga["order"])} was paid by saga ${paid.get(once)} and by saga ${id}`);
    paid.set(once, id);
  }
  for (const [state, prefix, done] of [
    [stock, "reservation:", "reserved"],
    [payment, "charge:", "charged"],
  ] as const) {
    for (const [key, value] of state) {
      if (key.startsWith(prefix) && (value as Row)["state"] === done && !order.has(`saga:${key.slice(prefix.length)}`))
        problems.push(`${key} belongs to no saga`);
    }
  }
  return problems;
}
