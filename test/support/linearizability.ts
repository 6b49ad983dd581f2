/**
 * Histories of single keys, for a checker of linearizability that is not the project's own: `npm run linearizability`.
 * Written where `HISTORIES_DIR` names a folder; the lines are what test/linearizability/main.go reads.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt, Operation } from "./history.ts";
import { operationsOf, type ShopState } from "./checker.ts";

/** One operation on one key, as the checker reads it. */
export interface KeyOperation {
  readonly key: string;
  readonly kind: "add" | "take" | "read" | "checkout";
  readonly amount: number;
  /** The key's value before the history: a stock, a credit, or 1 for a paid order. */
  readonly before: number;
  readonly began: number;
  /** Null where no answer told what became of it. */
  readonly ended: number | null;
  readonly answer: "done" | "refused" | "unknown";
  /** What a done operation showed. */
  readonly value: number | null;
}

let written = 0;

/** Writes the histories of one sale, if anybody wants them. */
export function writeHistories(before: ShopState, attempts: readonly Attempt[], after: ShopState): void {
  const folder = process.env["HISTORIES_DIR"];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const lines = keyOperations(before, attempts, after).map((operation) => `${JSON.stringify(operation)}\n`);
  writeFileSync(join(folder, `${process.pid}-${written++}.jsonl`), lines.join(""));
}

/**
 * What was asked of each key that one operation alone changes: every order, and the items and users of no order that was checked out. The
 * state at the end is one more read of each.
 */
export function keyOperations(before: ShopState, attempts: readonly Attempt[], after: ShopState): KeyOperation[] {
  const values = valuesOf(before);
  const sold = new Set(attempts.flatMap(({ operation }) => (operation.name === "checkout" ? [operation.order] : [])));
  for (const [id, { user, items }] of before.orders) {
    if (!sold.has(id)) continue;
    values.delete(`user ${user}`);
    for (const [item] of items) values.delete(`item ${item}`);
  }
  const asked = operationsOf(attempts).flatMap((operation) => {
    const about = aboutOf(operation[0]!.operation);
    const was = values.get(about.key);
    const fate = fateOf(operation);
    return was === undefined || fate === null ? [] : [{ ...about, before: was, ...fate }];
  });
  const end = Math.max(0, ...attempts.map(({ ended }) => ended)) + 1;
  const shown = [...valuesOf(after)].flatMap(([key, value]) => {
    const was = values.get(key);
    return was === undefined
      ? []
      : [{ key, kind: "read", amount: 0, before: was, began: end, ended: end, answer: "done", value } as const];
  });
  return [...asked, ...shown];
}

function valuesOf({ items, users, orders }: ShopState): Map<string, number> {
  return new Map([
    ...[...items].map(([id, { stock }]) => [`item ${id}`, stock] as const),
    ...[...users].map(([id, credit]) => [`user ${id}`, credit] as const),
    ...[...orders].map(([id, { paid }]) => [`order ${id}`, paid ? 1 : 0] as const),
  ]);
}

function aboutOf(operation: Operation): Pick<KeyOperation, "key" | "kind" | "amount"> {
  switch (operation.name) {
    case "checkout":
      return { key: `order ${operation.order}`, kind: "checkout", amount: 0 };
    case "add":
    case "subtract":
      return {
        key: `item ${operation.item}`,
        kind: operation.name === "add" ? "add" : "take",
        amount: operation.amount,
      };
    case "add_funds":
    case "pay":
      return {
        key: `user ${operation.user}`,
        kind: operation.name === "add_funds" ? "add" : "take",
        amount: operation.amount,
      };
    case "find_item":
      return { key: `item ${operation.item}`, kind: "read", amount: 0 };
    case "find_user":
      return { key: `user ${operation.user}`, kind: "read", amount: 0 };
  }
}

/** @returns null where nothing can have been changed and nothing was shown */
function fateOf(attempts: readonly Attempt[]): Pick<KeyOperation, "began" | "ended" | "answer" | "value"> | null {
  const { operation, began } = attempts[0]!;
  const final = attempts.find(({ answer }) => answer?.status === 200 || answer?.status === 400);
  if (final !== undefined) {
    const done = final.answer?.status === 200;
    const value = final.answer?.status === 200 ? valueIn(operation, final.answer.body) : null;
    return { began, ended: final.ended, answer: done ? "done" : "refused", value };
  }
  // A checkout that is answered with 503 or 202 may still be under way.
  const open = attempts.some(({ answer }) => answer === null || answer.status === 504 || operation.name === "checkout");
  return open ? { began, ended: null, answer: "unknown", value: null } : null;
}

/** @returns null where the answer does not tell the new value */
function valueIn({ name }: Operation, body: string): number | null {
  switch (name) {
    case "add_funds":
      return null;
    case "checkout":
      return 1;
    case "find_item":
      return (JSON.parse(body) as { stock: number }).stock;
    case "find_user":
      return (JSON.parse(body) as { credit: number }).credit;
    default:
      return Number(body);
  }
}
