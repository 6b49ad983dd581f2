/** The checker itself: it finds each kind of lie, and does not call a lie what may have been. */
import { describe, expect, test } from "@jest/globals";
import { check, type ShopState } from "./support/checker.ts";
import type { Attempt, Operation } from "./support/history.ts";
import { checkLaws, checkSagas, orderLaw, stockLaw } from "../tools/laws.ts";

const ADD: Operation = { name: "add", item: "i", amount: 1 };
const CHECKOUT: Operation = { name: "checkout", order: "o" };
let clock = 0;

function asked(
  operation: Operation,
  status: number | null,
  options: { body?: string; key?: string; retryAfter?: null } = {},
): Attempt {
  const { body = "1", key = null, retryAfter = "1" } = options;
  const answer = status === null ? null : { status, type: "", retryAfter: status === 503 ? retryAfter : null, body };
  return { operation, key, began: clock++, ended: clock++, answer, sent: true };
}

const refused = (code: string) => ({ body: JSON.stringify({ error: { code, message: "" } }) });

function shopState({ stock = 0, credit = 5, paid = false, sold = 10 } = {}): ShopState {
  return {
    items: new Map([
      ["i", { stock, price: 1 }],
      ["s", { stock: sold, price: 5 }],
    ]),
    users: new Map([["u", credit]]),
    orders: new Map([["o", { user: "u", items: [["s", 1]], total: 5, paid }]]),
  };
}

const bought = { paid: true, credit: 0, sold: 9 };

describe("agrees", () => {
  test.each<[string, Attempt[], ShopState]>([
    ["an acknowledged change is there", [asked(ADD, 200)], shopState({ stock: 1 })],
    ["an unanswered change is there", [asked(ADD, null)], shopState({ stock: 1 })],
    ["an unanswered change is not there", [asked(ADD, 504)], shopState()],
    ["a change answered with 503 is not there", [asked(ADD, 503)], shopState()],
    [
      "a repeated change is there once",
      [asked(ADD, null, { key: "k" }), asked(ADD, 200, { key: "k" })],
      shopState({ stock: 1 }),
    ],
    ["a paid order is paid", [asked(CHECKOUT, 200, { body: "paid" })], shopState(bought)],
    ["an unanswered checkout has paid", [asked(CHECKOUT, null)], shopState(bought)],
    ["an unanswered checkout has not paid", [asked(CHECKOUT, null)], shopState()],
    ["a rolled back checkout and then a paid one", [asked(CHECKOUT, 503), asked(CHECKOUT, 200)], shopState(bought)],
  ])("%s", (_name, attempts, after) => {
    expect(check(shopState(), attempts, after)).toEqual([]);
  });
});

describe("does not agree", () => {
  test.each<[string, Attempt[], ShopState, RegExp]>([
    ["an acknowledged change is lost", [asked(ADD, 200)], shopState(), /item i was 0 and is 0/],
    ["a change is there twice", [asked(ADD, 200)], shopState({ stock: 2 }), /item i was 0 and is 2/],
    [
      "a repeated change is there twice",
      [asked(ADD, null, { key: "k" }), asked(ADD, 200, { key: "k" })],
      shopState({ stock: 2 }),
      /item i/,
    ],
    ["a change answered with 503 is there", [asked(ADD, 503)], shopState({ stock: 1 }), /item i/],
    ["a 503 without Retry-After", [asked(ADD, 503, { retryAfter: null })], shopState(), /without a Retry-After/],
    ["a 500", [asked(ADD, 500)], shopState(), /answered with 500/],
    ["something that exists is unknown", [asked(ADD, 400, refused("unknown_item"))], shopState(), /unknown_item/],
    ["a paid order is not paid", [asked(CHECKOUT, 200)], shopState(), /order o is not paid/],
    [
      "an order is paid and the checkout was refused",
      [asked(CHECKOUT, 400, refused("insufficient_stock"))],
      shopState(bought),
      /order o is paid/,
    ],
    ["an order is paid and the checkout was rolled back", [asked(CHECKOUT, 503)], shopState(bought), /order o is paid/],
    ["an order is paid and nothing was charged", [asked(CHECKOUT, 200)], shopState({ paid: true, sold: 9 }), /user u/],
    ["an order is charged twice", [asked(CHECKOUT, 200)], shopState({ ...bought, credit: -5 }), /user u is negative/],
    ["an order is paid and has taken two", [asked(CHECKOUT, 200)], shopState({ ...bought, sold: 8 }), /item s/],
    ["an unpaid order was charged", [asked(CHECKOUT, null)], shopState({ credit: 0 }), /user u/],
    [
      "a refusal after it was paid",
      [asked(CHECKOUT, 200), asked(CHECKOUT, 400, refused("insufficient_credit"))],
      shopState(bought),
      /after it was paid/,
    ],
    [
      "one key has two answers",
      [asked(ADD, 200, { key: "k" }), asked(ADD, 200, { key: "k", body: "2" })],
      shopState({ stock: 2 }),
      /one Idempotency-Key/,
    ],
    [
      "two changes have the same place",
      [asked(ADD, 200), asked(ADD, 200)],
      shopState({ stock: 2 }),
      /both answered with 1/,
    ],
    [
      "what was shown is taken back",
      [
        asked({ name: "find_item", item: "i" }, 200, { body: '{"stock":1}' }),
        asked({ name: "find_item", item: "i" }, 200, { body: '{"stock":0}' }),
      ],
      shopState({ stock: 1 }),
      /0 was shown after 1/,
    ],
    [
      "what was shown is lost",
      [asked({ name: "find_item", item: "i" }, 200, { body: '{"stock":1}' })],
      shopState(),
      /it ended with 0/,
    ],
  ])("%s", (_name, attempts, after, problem) => {
    expect(check(shopState(), attempts, after).join("\n")).toMatch(problem);
  });
});

describe("the laws of the logs", () => {
  const item = (stock: number, held = 0) => ({ stock, price: 1, held, generation: "g" });
  const marker = { state: "reserved", lines: [{ item: "i", quantity: 2, generation: "g" }] };
  const made = { epoch: 1, n: 1, op: "create_item", set: { "item:i": item(0) } };
  const added = { epoch: 1, n: 2, op: "add", set: { "item:i": item(5) } };
  const reserved = { epoch: 1, n: 3, op: "reserve", saga: "s", set: { "item:i": item(3, 2), "reservation:s": marker } };
  const released = {
    epoch: 1,
    n: 4,
    op: "release",
    saga: "s",
    set: { "item:i": item(5), "reservation:s": { state: "released" } },
  };

  test("a history without a gap keeps them", () => {
    expect(checkLaws([made, added, reserved, released], stockLaw)).toEqual([]);
  });

  test.each<[string, Parameters<typeof checkLaws>[0]]>([
    ["a commit is missing that a later one has seen", [made, reserved]],
    [
      "a step is done twice",
      [made, added, reserved, { ...reserved, n: 4, set: { "item:i": item(1, 4), "reservation:s": marker } }],
    ],
    ["a step is done after it was undone", [made, added, reserved, released, { ...reserved, n: 5 }]],
    [
      "a step is undone twice",
      [made, added, reserved, released, { ...released, n: 5, set: { ...released.set, "item:i": item(7, -2) } }],
    ],
    ["an amount is negative", [made, { ...added, set: { "item:i": item(-1) } }]],
  ])("%s: they are broken", (_name, records) => {
    expect(checkLaws(records, stockLaw)).not.toEqual([]);
  });

  test("a second saga of a claimed order breaks them", () => {
    const saga = { order: "o", state: "running", version: 1, generation: "g", total: 1 };
    const start = (id: string, n: number) => ({
      epoch: 1,
      n,
      op: "checkout",
      saga: id,
      set: { [`saga:${id}`]: saga, "claim:o": { saga: id } },
    });
    expect(checkLaws([start("a", 1)], orderLaw)).toEqual([]);
    expect(checkLaws([start("a", 1), start("b", 2)], orderLaw).join()).toMatch(/second saga/);
    // A word of the log is no name of what every object has.
    for (const op of ["constructor", "__proto__", "toString"])
      expect(checkLaws([{ ...start("a", 1), op }], orderLaw).join()).toMatch(/saga a: none running/);
  });

  test("a saga with only one of its effects, an open one, and an effect without a saga are found", () => {
    const saga = (state: string) =>
      new Map<string, unknown>([["saga:s", { order: "o", state, generation: "g", total: 1 }]]);
    const reservation = new Map<string, unknown>([["reservation:s", marker]]);
    const charge = new Map<string, unknown>([["charge:s", { state: "charged", amount: 1 }]]);
    const none = new Map<string, unknown>();
    expect(checkSagas(saga("paid"), reservation, charge)).toEqual([]);
    expect(checkSagas(saga("failed"), none, none)).toEqual([]);
    expect(checkSagas(saga("paid"), reservation, none)).not.toEqual([]);
    expect(checkSagas(saga("failed"), reservation, none)).not.toEqual([]);
    expect(checkSagas(saga("running"), none, none)).not.toEqual([]);
    expect(checkSagas(none, none, charge)).not.toEqual([]);
  });
});
