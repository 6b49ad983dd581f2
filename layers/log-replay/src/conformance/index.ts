/** What every store has to pass: for the authors of stores, and for the tests of those that are here. */
export type { StoreCases, StorePlace } from "./place.ts";
export { storeCases } from "./store-cases.ts";
