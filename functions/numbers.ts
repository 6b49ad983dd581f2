import { Refusal } from "./errors.ts";

/** The largest amount, price, stock, credit and total: exact in every JSON reader. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** The sum of amounts that are in range. @throws Refusal where it is not itself in range */
export function sum(what: string, ...amounts: readonly number[]): number {
  let total = 0;
  for (const amount of amounts) {
    if (amount > MAX_AMOUNT - total) throw new Refusal("amount_out_of_range", `${what} would exceed ${MAX_AMOUNT}`);
    total += amount;
  }
  return total;
}

/** The product of amounts that are in range. @throws Refusal where it is not itself in range */
export function product(what: string, a: number, b: number): number {
  // Where a is 0 that is infinite.
  if (b > MAX_AMOUNT / a) throw new Refusal("amount_out_of_range", `${what} would exceed ${MAX_AMOUNT}`);
  return a * b;
}
