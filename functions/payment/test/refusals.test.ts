/** What the rules of the payment say where they refuse: the code is for programs, the words are for people. */
import { expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { charge, forget, refund, type Charge } from "../charges.ts";
import { addFunds, hold, known, newUser, pay } from "../users.ts";

const user = newUser(3, "g");

test("each refusal has its code, and names what it is about", () => {
  const refusals: [() => unknown, string, string][] = [
    [() => known(null, "u"), "unknown_user", "there is no user u"],
    [() => pay(user, 4, "u"), "insufficient_credit", "user u has a credit of 3, 4 were asked for"],
    [() => hold(user, 4, "u"), "insufficient_credit", "user u has a credit of 3, 4 were asked for"],
    [() => addFunds(user, MAX_AMOUNT), "amount_out_of_range", `the credit would exceed ${MAX_AMOUNT}`],
  ];
  for (const [rule, code, message] of refusals) expect(rule).toThrow(expect.objectContaining({ code, message }));
});

test("a step is refused in the words of its first refusal, and after its refund in those of the refund", () => {
  const none = charge("s", "u", 1, null, () => null);
  expect(none.refusal).toMatchObject({ code: "unknown_user", message: "there is no user u" });
  expect(charge("s", "u", 1, none.set[0]?.[1] as never, () => user).refusal).toMatchObject({
    code: "unknown_user",
    message: "there is no user u",
  });
  const refunded = refund("s", null, () => null)[0]?.[1] as never;
  expect(charge("s", "u", 1, refunded, () => user)).toEqual({
    set: [],
    refusal: expect.objectContaining({
      code: "step_compensated",
      message: "the charge of saga s was refunded",
    }) as unknown,
  });
});

test("what a marker that is refunded, refused, charged or not there comes to", () => {
  const find = (): typeof user => user;
  const charged: Charge = { state: "charged", user: "u", amount: 2, generation: "g" };
  const refused: Charge = { state: "refused", code: "unknown_user", message: "" };
  expect(refund("s", { state: "refunded" }, find)).toEqual([]);
  expect(refund("s", refused, find)).toEqual([]);
  expect(refund("s", null, find)).toEqual([["charge:s", { state: "refunded" }]]);
  const held = { ...user, credit: 1, held: 2 };
  expect(refund("s", charged, () => held)).toEqual([
    ["user:u", user],
    ["charge:s", { state: "refunded" }],
  ]);
  expect(forget("s", null, find)).toEqual([]);
  expect(forget("s", refused, find)).toEqual([["charge:s", null]]);
  expect(forget("s", charged, () => held)).toEqual([
    ["user:u", { ...held, held: 0 }],
    ["charge:s", null],
  ]);
  for (const other of [null, { ...held, generation: "another" }])
    expect(forget("s", charged, () => other)).toEqual([["charge:s", null]]);
});

test("an error of the rules themselves is no refusal", () => {
  const broken = (): never => {
    throw new TypeError("a bug");
  };
  expect(() => charge("s", "u", 1, null, broken)).toThrow(TypeError);
});
