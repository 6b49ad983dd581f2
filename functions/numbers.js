import { Refusal } from "./errors.js";
/** The largest amount, price, stock, credit and total: exact in every JSON reader. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;
/** The sum of amounts that are in range. @throws Refusal where it is not itself in range */
export function sum(what, ...amounts) {
    let total = 0;
    for (const amount of amounts) {
        if (amount > MAX_AMOUNT - total)
            throw new Refusal("amount_out_of_range", `${what} would exceed ${MAX_AMOUNT}`);
        total += amount;
    }
    return total;
}
/** The product of amounts that are in range. @throws Refusal where it is not itself in range */
export function product(what, a, b) {
    if (a !== 0 && b > MAX_AMOUNT / a)
        throw new Refusal("amount_out_of_range", `${what} would exceed ${MAX_AMOUNT}`);
    return a * b;
}
//# sourceMappingURL=numbers.js.map