/** What the rules of the stock say where they refuse: the code is for programs, the words are for people. */
import { expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { add, hold, known, newItem, subtract } from "../items.ts";
import { forget, heldItems, release, reservationKey, reserve, type Reservation } from "../reservations.ts";

const item = newItem(5, 3, "g");

test("each refusal has its code, and names what it is about", () => {
  const refusals: [() => unknown, string, string][] = [
    [() => known(null, "a"), "unknown_item", "there is no item a"],
    [() => subtract(item, 4, "a"), "insufficient_stock", "item a has 3 in stock, 4 were asked for"],
    [() => hold(item, 4, "a"), "insufficient_stock", "item a has 3 in stock, 4 were asked for"],
    [() => add(item, MAX_AMOUNT), "amount_out_of_range", `the stock would exceed ${MAX_AMOUNT}`],
  ];
  for (const [rule, code, message] of refusals) expect(rule).toThrow(expect.objectContaining({ code, message }));
});

test("a step is refused in the words of its first refusal, and after its release in those of whoever has asked for that", () => {
  const none = reserve("s", [["a", 1]], null, () => null);
  expect(none.refusal).toMatchObject({ code: "unknown_item", message: "there is no item a" });
  expect(reserve("s", [["a", 1]], none.set[0]?.[1] as never, () => item).refusal).toMatchObject({
    code: "unknown_item",
    message: "there is no item a",
  });
  const released = release("s", null, () => null)[0]?.[1] as never;
  expect(reserve("s", [["a", 1]], released, () => item)).toEqual({
    set: [],
    refusal: expect.objectContaining({
      code: "step_compensated",
      message: "the reservation of saga s was released",
    }) as unknown,
  });
  const why = { code: "unknown_user", message: "there is no user u" } as const;
  const told = release("s", null, () => null, why)[0]?.[1] as never;
  expect(reserve("s", [["a", 1]], told, () => item).refusal).toMatchObject(why);
});

test("what a marker that is released, refused, reserved or not there comes to", () => {
  const find = (): typeof item => item;
  const reserved: Reservation = {
    state: "reserved",
    lines: [
      { item: "a", quantity: 1, generation: "g" },
      { item: "a", quantity: 1, generation: "g" },
    ],
  };
  const refused: Reservation = { state: "refused", code: "unknown_item", message: "" };
  expect(release("s", { state: "released" }, find)).toEqual([]);
  expect(release("s", refused, find)).toEqual([]);
  expect(release("s", null, find)).toEqual([[reservationKey("s"), { state: "released" }]]);
  const held = { ...item, stock: 1, held: 2 };
  expect(release("s", reserved, () => held)).toEqual([
    ["item:a", item],
    ["reservation:s", { state: "released" }],
  ]);
  expect(forget("s", null, find)).toEqual([]);
  expect(forget("s", refused, find)).toEqual([["reservation:s", null]]);
  expect(forget("s", reserved, () => held)).toEqual([
    ["item:a", { ...held, held: 0 }],
    ["reservation:s", null],
  ]);
  for (const other of [null, { ...held, generation: "another" }])
    expect(forget("s", reserved, () => other)).toEqual([["reservation:s", null]]);
  expect([null, refused, { state: "released" } as const, reserved].map(heldItems)).toEqual([[], [], [], ["a", "a"]]);
  expect(reserve("s", [["a", 1]], reserved, find)).toEqual({ set: [] });
});

test("an error of the rules themselves is no refusal", () => {
  const broken = (): never => {
    throw new TypeError("a bug");
  };
  expect(() => reserve("s", [["a", 1]], null, broken)).toThrow(TypeError);
});
