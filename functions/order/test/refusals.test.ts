/** What the rules of the orders and their checkouts say where they refuse: the code is for programs, the words are for people. */
import { describe, expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { addItem, assertFree, claimKey, CLAIMS, known, MAX_LINES, newOrder, orderKey } from "../orders.ts";
import {
  abandon,
  close,
  isOverdue,
  isSettled,
  LATE,
  LostRaceError,
  NOT_DONE,
  NOT_ITS_ORDER,
  pay,
  SAGAS,
  sagaKey,
  start,
  stepsToUndo,
  undone,
  UNDO_ALL,
  type Saga,
} from "../sagas.ts";

const order = newOrder("u", "g");
const full = { ...order, items: Array.from({ length: MAX_LINES }, (_, i) => [`i${i}`, 1] as const) };

test("each refusal has its code, and names what it is about", () => {
  const at = { now: 0, timeout: 1 };
  const refusals: [() => unknown, string, string][] = [
    [() => known(null, "o"), "unknown_order", "there is no order o"],
    [() => addItem({ ...order, paid: true }, "a", 1, 1), "order_paid", "the order is paid"],
    [() => addItem(full, "a", 1, 1), "too_many_items", `an order has at most ${MAX_LINES} different items`],
    [() => addItem(order, "a", 2, MAX_AMOUNT), "amount_out_of_range", `the order's total would exceed ${MAX_AMOUNT}`],
    [
      () => addItem({ ...order, total: MAX_AMOUNT }, "a", 1, 1),
      "amount_out_of_range",
      `the order's total would exceed ${MAX_AMOUNT}`,
    ],
    [
      () => addItem({ ...order, items: [["a", MAX_AMOUNT]] }, "a", 1, 0),
      "amount_out_of_range",
      `the item's quantity would exceed ${MAX_AMOUNT}`,
    ],
    [() => assertFree({ saga: "s" }, "o"), "checkout_running", "the checkout of order o is running"],
    [() => start("s", "o", order, at), "empty_order", "order o has no items"],
  ];
  for (const [rule, code, message] of refusals) expect(rule).toThrow(expect.objectContaining({ code, message }));
  expect(() => assertFree(null, "o")).not.toThrow();
  expect(known(order, "o")).toBe(order);
});

test("rows have keys of their own, by which the indexes find them", () => {
  expect([orderKey("1"), claimKey("1"), CLAIMS, sagaKey("1"), SAGAS]).toEqual([
    "order:1",
    "claim:1",
    "claim:",
    "saga:1",
    "saga:",
  ]);
});

test("what is said of checkouts that nobody refused", () => {
  expect(LATE).toEqual({
    kind: "aborted",
    code: "checkout_aborted",
    message: "the checkout did not end in time",
  });
  expect(NOT_ITS_ORDER).toEqual({
    kind: "aborted",
    code: "checkout_aborted",
    message: "the order is no longer this checkout's",
  });
  expect(NOT_DONE).toEqual({
    kind: "aborted",
    code: "checkout_aborted",
    message: "a service did not do its part in time, or failed",
  });
  expect(UNDO_ALL).toEqual(["charge", "reserve"]);
});

test("a saga ends when the last of its steps is undone, and each counts once", () => {
  const { saga: begun } = start("s", "o", { ...order, items: [["a", 1]] }, { now: 0, timeout: 1 });
  const saga: Saga = { ...begun, state: "compensating", version: 2, undo: ["charge", "reserve"], failure: LATE };
  const { saga: first, set } = undone("s", { saga, order, claim: { saga: "s" } }, "reserve");
  expect(set).toEqual([["saga:s", first]]);
  expect(first).toEqual({ ...saga, version: 3, undo: ["charge"] });
  expect(() => undone("s", { saga: first, order, claim: { saga: "s" } }, "reserve")).toThrow(
    "the saga is compensating, and does not wait for its reserve to be undone",
  );
  expect(() => undone("s", { saga: null, order, claim: null }, "reserve")).toThrow(
    "the saga is gone, and does not wait for its reserve to be undone",
  );
  const last = undone("s", { saga: first, order, claim: { saga: "s" } }, "charge").saga;
  expect(last).toMatchObject({ state: "failed", version: 4 });
  expect([begun, saga, first, last].map(isSettled)).toEqual([false, false, false, true]);
});

test("a saga keeps the trace of the request that began it, where that had one", () => {
  const filled = { ...order, items: [["a", 1]] as const };
  expect(start("s", "o", filled, { now: 0, timeout: 1, traceparent: "t" }).saga.traceparent).toBe("t");
  expect(start("s", "o", filled, { now: 0, timeout: 1 }).saga).not.toHaveProperty("traceparent");
});

describe("each transition writes these rows and no others", () => {
  const row = { ...order, items: [["a", 1]] as const, total: 5 };
  const { saga, set } = start("s", "o", row, { now: 10, timeout: 7 });
  const own = { saga: "s" };
  const compensating: Saga = { ...saga, state: "compensating", version: 2, undo: ["reserve"], failure: LATE };
  const failed: Saga = { ...saga, state: "failed", version: 2, failure: LATE };

  test("start", () => {
    expect(saga).toEqual({
      order: "o",
      generation: "g",
      user: "u",
      items: [["a", 1]],
      total: 5,
      state: "running",
      version: 1,
      startedAt: 10,
      deadline: 17,
    });
    expect(set).toEqual([
      ["saga:s", saga],
      ["claim:o", own],
    ]);
  });

  test("pay", () => {
    const paid: Saga = { ...saga, state: "paid", version: 2 };
    expect(pay("s", saga, { saga, order: row, claim: own })).toEqual({
      saga: paid,
      set: [
        ["saga:s", paid],
        ["order:o", { ...row, paid: true, checkout: "s" }],
        ["claim:o", null],
      ],
    });
    expect(pay("s", saga, { saga, order: row, claim: null })).toBeNull();
    expect(pay("s", saga, { saga, order: row, claim: { saga: "other" } })).toBeNull();
    expect(pay("s", saga, { saga, order: null, claim: own })).toBeNull();
    expect(pay("s", saga, { saga, order: { ...row, generation: "other" }, claim: own })).toBeNull();
    expect(() => pay("s", saga, { saga: null, order: row, claim: own })).toThrow("the saga is gone");
    expect(() => pay("s", saga, { saga: paid, order: row, claim: own })).toThrow("the saga is paid");
    expect(() => pay("s", saga, { saga: { ...saga, version: 2 }, order: row, claim: own })).toThrow(
      "the saga is running",
    );
    expect(() => pay("s", saga, { saga: { ...saga, state: "failed" }, order: row, claim: own })).toThrow(
      "the saga is failed",
    );
  });

  test("abandon, with something to undo and without", () => {
    expect(abandon("s", saga, { saga, order: row, claim: own }, ["reserve"], LATE)).toEqual({
      saga: compensating,
      set: [["saga:s", compensating]],
    });
    expect(abandon("s", saga, { saga, order: row, claim: own }, [], LATE)).toEqual({
      saga: failed,
      set: [
        ["saga:s", failed],
        ["claim:o", null],
        ["order:o", { ...row, checkout: "s" }],
      ],
    });
    expect(() => abandon("s", saga, { saga: compensating, order: row, claim: own }, [], LATE)).toThrow(
      "the saga is compensating",
    );
  });

  test("close frees and marks the order only where it is still this checkout's", () => {
    const closed: Saga = { ...compensating, state: "failed", version: 3 };
    const rows = (...args: Parameters<typeof close>): unknown => close(...args).set;
    expect(close("s", compensating, { saga: compensating, order: row, claim: own })).toEqual({
      saga: closed,
      set: [
        ["saga:s", closed],
        ["claim:o", null],
        ["order:o", { ...row, checkout: "s" }],
      ],
    });
    const alone = [["saga:s", closed]];
    expect(rows("s", compensating, { saga: compensating, order: row, claim: { saga: "other" } })).toEqual(alone);
    expect(rows("s", compensating, { saga: compensating, order: row, claim: null })).toEqual(alone);
    const freed = [...alone, ["claim:o", null]];
    expect(rows("s", compensating, { saga: compensating, order: { ...row, generation: "other" }, claim: own })).toEqual(
      freed,
    );
    expect(rows("s", compensating, { saga: compensating, order: null, claim: own })).toEqual(freed);
    expect(() => rows("s", compensating, { saga: closed, order: row, claim: own })).toThrow("the saga is failed");
    expect(undone("s", { saga: compensating, order: row, claim: own }, "reserve").set).toEqual(
      rows("s", compensating, { saga: compensating, order: row, claim: own }),
    );
  });

  test("it is settled at its two ends alone, and whoever has lost it is told by a name", () => {
    const states = ["running", "paid", "compensating", "failed"] as const;
    expect(states.filter((state) => isSettled({ ...saga, state }))).toEqual(["paid", "failed"]);
    expect(new LostRaceError("")).toMatchObject({ name: "LostRaceError" });
  });

  test("when others may take it over, and what they have to undo", () => {
    expect([16, 17, 18, 2, 3, 4].map((now) => isOverdue(saga, now))).toEqual([false, true, true, true, false, false]);
    expect(stepsToUndo(["charge", "reserve"], true)).toEqual(["reserve"]);
    expect(stepsToUndo(["charge", "reserve"], false)).toEqual(["charge", "reserve"]);
  });
});
