/** The largest amount, price, stock, credit and total: exact in every JSON reader. */
export declare const MAX_AMOUNT: number;
/** The sum of amounts that are in range. @throws Refusal where it is not itself in range */
export declare function sum(what: string, ...amounts: readonly number[]): number;
/** The product of amounts that are in range. @throws Refusal where it is not itself in range */
export declare function product(what: string, a: number, b: number): number;
