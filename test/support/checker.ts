/**
 * Whether the state that the shop ended in agrees with every answer that it gave.
 *
 * The model knows of each operation whether it was done, was not done, or may have been done. Acknowledged effects are
 * there exactly once. What was refused or answered with 503 has no effect. What was not answered has its whole effect
 * or none.
 */
import { errorCode, type Answer } from "./http.ts";
import type { Attempt, Operation } from "./history.ts";

export interface OrderState {
  readonly user: string;
  readonly items: readonly (readonly [item: string, quantity: number])[];
  readonly total: number;
  readonly paid: boolean;
}

/** What can be seen through the public routes. */
export interface ShopState {
  readonly items: ReadonlyMap<string, { readonly stock: number; readonly price: number }>;
  readonly users: ReadonlyMap<string, number>;
  readonly orders: ReadonlyMap<string, OrderState>;
}

/** What became of an operation, as far as its answers tell. */
export type Fate = "done" | "not done" | "unknown";

/** The rules by which an operation on something that exists may be refused. Any other 400 would say that it does not exist. */
const REFUSALS: Readonly<Record<Operation["name"], readonly string[]>> = {
  checkout: ["insufficient_stock", "insufficient_credit"],
  subtract: ["insufficient_stock"],
  pay: ["insufficient_credit"],
  add: [],
  add_funds: [],
  find_item: [],
  find_user: [],
};

/** @returns every contradiction, in words; empty where there is none */
export function check(before: ShopState, attempts: readonly Attempt[], after: ShopState): string[] {
  return [
    ...attempts.flatMap(checkAnswer),
    ...operationsOf(attempts).flatMap(checkRepetitions),
    ...checkOrders(before, attempts, after),
    ...checkAmounts(before, attempts, after),
    ...checkCounters(before, attempts, after),
  ];
}

export function fateOf(answers: readonly (Answer | null)[]): Fate {
  if (answers.some((answer) => answer?.status === 200)) return "done";
  // A refusal is kept for its key. If an earlier attempt had been done, its answer would have come again.
  if (answers.some((answer) => answer?.status === 400)) return "not done";
  return answers.some((answer) => answer === null || answer.status === 504 || answer.status === 202)
    ? "unknown"
    : "not done";
}

/** The attempts of one operation: those with its key, or the only one. */
export function operationsOf(attempts: readonly Attempt[]): Attempt[][] {
  const keyed = new Map<string, Attempt[]>();
  const operations: Attempt[][] = [];
  for (const attempt of attempts.filter(({ sent }) => sent)) {
    const known = attempt.key === null ? undefined : keyed.get(attempt.key);
    if (known) known.push(attempt);
    else {
      const operation = [attempt];
      operations.push(operation);
      if (attempt.key !== null) keyed.set(attempt.key, operation);
    }
  }
  return operations;
}

function checkAnswer({ operation, answer }: Attempt): string[] {
  if (answer === null || answer.status === 200 || answer.status === 504) return [];
  // A checkout by events goes on after its request.
  if (answer.status === 202 && operation.name === "checkout") return [];
  const what = `${JSON.stringify(operation)} was answered with ${answer.status} ${answer.body}`;
  if (answer.status === 503) return /^[1-9]\d*$/.test(answer.retryAfter ?? "") ? [] : [`${what} without a Retry-After`];
  return answer.status === 400 && REFUSALS[operation.name].includes(errorCode(answer)) ? [] : [what];
}

/** An Idempotency-Key gives the first answer again. */
function checkRepetitions(attempts: readonly Attempt[]): string[] {
  const final = attempts.flatMap(({ answer }) =>
    answer?.status === 200 || answer?.status === 400 ? [`${answer.status} ${answer.body}`] : [],
  );
  return new Set(final).size > 1
    ? [
        `one Idempotency-Key, ${JSON.stringify(attempts[0]?.operation)}, was answered with ${[...new Set(final)].join(" and ")}`,
      ]
    : [];
}

function checkOrders(before: ShopState, attempts: readonly Attempt[], after: ShopState): string[] {
  const checkouts = new Map<string, Attempt[][]>();
  for (const operation of operationsOf(attempts)) {
    const { operation: asked } = operation[0]!;
    if (asked.name === "checkout") listIn(checkouts, asked.order).push(operation);
  }
  return [...before.orders].flatMap(([id, was]) => {
    const is = after.orders.get(id);
    if (is === undefined) return [`order ${id} is gone`];
    const problems: string[] = [];
    const same = (state: OrderState): string => JSON.stringify([state.user, state.items, state.total]);
    if (same(is) !== same(was)) problems.push(`order ${id} was ${same(was)} and is ${same(is)}`);
    // Each checkout of an order may be the one that paid, so a refusal of one says nothing about another.
    const fates = (checkouts.get(id) ?? []).map((operation) => fateOf(operation.map(({ answer }) => answer)));
    const own = (checkouts.get(id) ?? []).flat();
    const said = own.map(({ answer }) => answer?.status ?? "nothing").join();
    if (fates.includes("done") && !is.paid)
      problems.push(`order ${id} is not paid, and its checkouts were answered with ${said}`);
    if (is.paid && !was.paid && fates.every((fate) => fate === "not done"))
      problems.push(`order ${id} is paid, and its checkouts were answered with ${said}`);
    const paid = own.filter(({ answer }) => answer?.status === 200);
    const firstPaid = Math.min(...paid.map(({ ended }) => ended));
    if (own.some(({ began, answer }) => began > firstPaid && answer?.status === 400))
      problems.push(`a checkout of order ${id} was refused after it was paid`);
    return problems;
  });
}

/** Stock and credit to the unit: what was there, what was done, what was paid for, and any choice of what may have been done. */
function checkAmounts(before: ShopState, attempts: readonly Attempt[], after: ShopState): string[] {
  const ledger = new Map<string, { sure: number; readonly open: number[] }>();
  const entry = (key: string): { sure: number; open: number[] } => {
    let found = ledger.get(key);
    if (found === undefined) ledger.set(key, (found = { sure: 0, open: [] }));
    return found;
  };
  for (const operation of operationsOf(attempts)) {
    const change = changeOf(operation[0]!.operation);
    if (change === null) continue;
    const fate = fateOf(operation.map(({ answer }) => answer));
    if (fate === "done") entry(change.key).sure += change.by;
    if (fate === "unknown") entry(change.key).open.push(change.by);
  }
  for (const [id, { user, items, total, paid }] of after.orders) {
    if (!paid || before.orders.get(id)?.paid === true) continue;
    entry(`user ${user}`).sure -= total;
    for (const [item, quantity] of items) entry(`item ${item}`).sure -= quantity;
  }
  const judge = (key: string, was: number, is: number | undefined): string[] => {
    if (is === undefined) return [`${key} is gone`];
    const { sure, open } = entry(key);
    if (is < 0) return [`${key} is negative: ${is}`];
    if (sums(open).has(is - was - sure)) return [];
    return [
      `${key} was ${was} and is ${is}; what was acknowledged and paid makes ${was + sure}, and what was not answered ${open.length} changes (${open.slice(0, 20).join()})`,
    ];
  };
  return [
    ...[...before.items].flatMap(([id, { stock }]) => judge(`item ${id}`, stock, after.items.get(id)?.stock)),
    ...[...before.users].flatMap(([id, credit]) => judge(`user ${id}`, credit, after.users.get(id))),
  ];
}

function changeOf(operation: Operation): { key: string; by: number } | null {
  switch (operation.name) {
    case "add":
      return { key: `item ${operation.item}`, by: operation.amount };
    case "subtract":
      return { key: `item ${operation.item}`, by: -operation.amount };
    case "add_funds":
      return { key: `user ${operation.user}`, by: operation.amount };
    case "pay":
      return { key: `user ${operation.user}`, by: -operation.amount };
    default:
      return null;
  }
}

/** What any choice of the numbers adds up to. */
function sums(numbers: readonly number[]): Set<number> {
  let reached = new Set([0]);
  for (const number of numbers) reached = new Set([...reached, ...[...reached].map((sum) => sum + number)]);
  return reached;
}

/**
 * Items that were only added to, and users that only paid. Each answer names the new amount, so the answers stand in
 * one order, no two of them show the same place in it, and one that began after another was over shows more. The same
 * holds for reads: what somebody was shown is never taken back.
 */
function checkCounters(before: ShopState, attempts: readonly Attempt[], after: ShopState): string[] {
  const inOrders = new Set(
    [...before.orders.values()].flatMap(({ user, items }) => [
      `user ${user}`,
      ...items.map(([item]) => `item ${item}`),
    ]),
  );
  const counters = new Map<string, { value: number; attempt: Attempt }[]>();
  for (const attempt of attempts) {
    const shown = shownBy(attempt);
    if (shown === null || inOrders.has(shown.key)) continue;
    listIn(counters, shown.key).push({ value: shown.value, attempt });
  }
  return [...counters].flatMap(([key, seen]) => {
    const [kind, id] = key.split(" ") as [string, string];
    const [sign, end] = kind === "item" ? [1, after.items.get(id)?.stock ?? NaN] : [-1, after.users.get(id) ?? NaN];
    return checkCounter(
      key,
      seen.map(({ value, attempt }) => ({ value: sign * value, attempt })),
      sign * end,
    );
  });
}

/** @param seen values that only ever grow */
function checkCounter(key: string, seen: readonly { value: number; attempt: Attempt }[], end: number): string[] {
  const problems: string[] = [];
  const writes = new Map<number, Attempt>();
  const byEnd = [...seen].sort((a, b) => a.attempt.ended - b.attempt.ended);
  const byBeginning = [...seen].sort((a, b) => a.attempt.began - b.attempt.began);
  let [least, next] = [-Infinity, 0];
  for (const { value, attempt } of byBeginning) {
    for (let over = byEnd[next]; over !== undefined && over.attempt.ended < attempt.began; over = byEnd[++next])
      least = Math.max(least, over.value);
    const isWrite = attempt.operation.name === "add" || attempt.operation.name === "pay";
    // The answer of a repeated request is as old as its first attempt.
    const repeated = attempt.key !== null;
    if (!repeated && (isWrite ? value <= least : value < least))
      problems.push(`${key}: ${value} was shown after ${least}`);
    if (value > end) problems.push(`${key}: ${value} was shown, and it ended with ${end}`);
    if (!isWrite) continue;
    const other = writes.get(value);
    if (other !== undefined && (other.key === null || other.key !== attempt.key))
      problems.push(`${key}: two changes were both answered with ${value}`);
    writes.set(value, attempt);
  }
  return problems;
}

function shownBy({ operation, answer }: Attempt): { key: string; value: number } | null {
  if (answer?.status !== 200) return null;
  switch (operation.name) {
    case "add":
      return { key: `item ${operation.item}`, value: Number(answer.body) };
    case "pay":
      return { key: `user ${operation.user}`, value: Number(answer.body) };
    case "find_item":
      return { key: `item ${operation.item}`, value: (JSON.parse(answer.body) as { stock: number }).stock };
    case "find_user":
      return { key: `user ${operation.user}`, value: (JSON.parse(answer.body) as { credit: number }).credit };
    default:
      return null;
  }
}

function listIn<V>(lists: Map<string, V[]>, key: string): V[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
