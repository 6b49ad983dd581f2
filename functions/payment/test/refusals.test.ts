/** What the rules of the payment say where they refuse: the code is for programs, the words are for people. */
import { expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { charge, refund } from "../charges.ts";
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

test("an error of the rules themselves is no refusal", () => {
  const broken = (): never => {
    throw new TypeError("a bug");
  };
  expect(() => charge("s", "u", 1, null, broken)).toThrow(TypeError);
});
