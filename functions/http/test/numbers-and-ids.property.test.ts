import { expect, test } from "@jest/globals";
import fc from "fast-check";
import * as v from "valibot";
import { MAX_AMOUNT, product, sum } from "../../numbers.ts";
import { Amount, BatchSize, Id, parse, Price, Quantity } from "../parameters.ts";

const any = fc.oneof(
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 2 ** 26, max: 2 ** 27 }),
  fc.integer({ min: MAX_AMOUNT - 5, max: MAX_AMOUNT }),
);
const refused = (code: string) => expect.objectContaining({ code, statusCode: 400 });

test("sums and products are exact or refused, never rounded", () => {
  const check = (compute: () => number, exact: bigint) => {
    if (exact <= BigInt(MAX_AMOUNT)) expect(BigInt(compute())).toBe(exact);
    else expect(compute).toThrow(refused("amount_out_of_range"));
  };
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      check(() => sum("it", a, b, c), BigInt(a) + BigInt(b) + BigInt(c));
      check(() => product("it", a, b), BigInt(a) * BigInt(b));
    }),
    { numRuns: 2_000 },
  );
});

test("products next to the largest amount are exact or refused", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_AMOUNT }), fc.integer({ min: -1, max: 1 }), (a, off) => {
      const b = Math.floor(MAX_AMOUNT / a) + off;
      if (b < 0 || b > MAX_AMOUNT) return;
      const exact = BigInt(a) * BigInt(b);
      if (exact <= BigInt(MAX_AMOUNT)) expect(BigInt(product("it", a, b))).toBe(exact);
      else expect(() => product("it", a, b)).toThrow(refused("amount_out_of_range"));
    }),
    { numRuns: 2_000 },
  );
});

test("every integer in its range is taken for what it is", () => {
  fc.assert(
    fc.property(any, (value) => {
      expect(parse(Price, String(value))).toBe(value);
      if (value > 0) expect(parse(Amount, String(value))).toBe(value);
    }),
  );
});

const NO_NUMBERS = [
  "",
  "-1",
  "-0",
  "+1",
  "1.5",
  "1.0",
  "1e3",
  "0x10",
  " 1",
  "1 ",
  "1\n",
  "1,000",
  "1_000",
  "NaN",
  "Infinity",
  "null",
  "٣",
  "１",
  String(2 ** 53),
  "9007199254740993",
  "99999999999999999999999",
  "1".repeat(400),
];

test.each(NO_NUMBERS)("%j is no number", (value) => {
  for (const schema of [Price, Amount, BatchSize])
    expect(() => parse(schema, value)).toThrow(refused("invalid_number"));
});

test("a quantity is from 1, an amount and a price from 0, a batch from 1 to 1,000,000", () => {
  expect(() => parse(Quantity, "0")).toThrow(refused("invalid_number"));
  expect(parse(Amount, "0")).toBe(0);
  expect(parse(Price, "0")).toBe(0);
  expect(() => parse(BatchSize, "0")).toThrow(refused("invalid_number"));
  expect(parse(BatchSize, "1000000")).toBe(1_000_000);
  expect(() => parse(BatchSize, "1000001")).toThrow(refused("invalid_number"));
});

test.each([
  [Quantity, "0", "must be an integer from 1 to 9007199254740991, in at most 16 digits"],
  [Amount, "-1", "must be an integer from 0 to 9007199254740991, in at most 16 digits"],
  [Price, String(MAX_AMOUNT + 1), "must be an integer from 0 to 9007199254740991, in at most 16 digits"],
  [BatchSize, "1000001", "must be an integer from 1 to 1000000, in at most 16 digits"],
  [BatchSize, "00000000000000001", "must be an integer from 1 to 1000000, in at most 16 digits"],
  [BatchSize, 5, "must be an integer from 1 to 1000000, in at most 16 digits"],
  [Id, "a:b", "must match [A-Za-z0-9_-]{1,64}"],
])("what is refused is told what it has to be: %#", (schema, value, why) => {
  expect(() => parse(v.object({ n: schema }), { n: value })).toThrow(`n ${why}`);
});

test("ids are those of [A-Za-z0-9_-]{1,64} and no others", () => {
  fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (value) => expect(parse(Id, value)).toBe(value)));
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }).filter((value) => !/^[A-Za-z0-9_-]{1,64}$/.test(value)),
      (value) => {
        expect(() => parse(Id, value)).toThrow(refused("invalid_id"));
      },
    ),
  );
  for (const value of ["", "a".repeat(65), "a\n", "a:b", "../x", "ä", undefined, null, 5])
    expect(() => parse(Id, value)).toThrow(refused("invalid_id"));
});
