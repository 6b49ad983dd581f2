/** What the rules of the orders and their checkouts say where they refuse: the code is for programs, the words are for people. */
import { expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { addItem, assertFree, claimKey, CLAIMS, known, MAX_LINES, newOrder, orderKey } from "../orders.ts";
import { isSettled, LATE, NOT_ITS_ORDER, SAGAS, sagaKey, start, undone, UNDO_ALL, type Saga } from "../sagas.ts";

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
  expect(UNDO_ALL).toEqual(["charge", "reserve"]);
});

test("a saga ends when the last of its steps is undone, and each counts once", () => {
  const { saga: begun } = start("s", "o", { ...order, items: [["a", 1]] }, { now: 0, timeout: 1 });
  const saga: Saga = { ...begun, state: "compensating", version: 2, undo: ["charge", "reserve"], failure: LATE };
  const first = undone("s", saga, order, { saga: "s" }, "reserve").saga;
  expect(first).toEqual({ ...saga, version: 3, undo: ["charge"] });
  expect(() => undone("s", first, order, { saga: "s" }, "reserve")).toThrow(
    "the saga is compensating, and does not wait for its reserve to be undone",
  );
  expect(() => undone("s", null, order, null, "reserve")).toThrow(
    "the saga is gone, and does not wait for its reserve to be undone",
  );
  const last = undone("s", first, order, { saga: "s" }, "charge").saga;
  expect(last).toMatchObject({ state: "failed", version: 4 });
  expect([begun, saga, first, last].map(isSettled)).toEqual([false, false, false, true]);
});

test("a saga keeps the trace of the request that began it, where that had one", () => {
  const filled = { ...order, items: [["a", 1]] as const };
  expect(start("s", "o", filled, { now: 0, timeout: 1, traceparent: "t" }).saga.traceparent).toBe("t");
  expect(start("s", "o", filled, { now: 0, timeout: 1 }).saga).not.toHaveProperty("traceparent");
});
