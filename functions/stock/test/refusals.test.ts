/** What the rules of the stock say where they refuse: the code is for programs, the words are for people. */
import { expect, test } from "@jest/globals";
import { MAX_AMOUNT } from "../../numbers.ts";
import { add, hold, known, newItem, subtract } from "../items.ts";
import { release, reserve } from "../reservations.ts";

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

test("an error of the rules themselves is no refusal", () => {
  const broken = (): never => {
    throw new TypeError("a bug");
  };
  expect(() => reserve("s", [["a", 1]], null, broken)).toThrow(TypeError);
});
