import type { Invariant } from "../invariants.ts";
import type { SagaConfiguration } from "./model.ts";
import type { SagaFlaw } from "./flaws.ts";

const ONE: SagaConfiguration = { checkouts: 1, resumers: 1, stock: 1, credit: 1, crashes: 1, remakes: 0, funds: 0 };

export const SAGA_CONFIGURATIONS: Readonly<Record<string, SagaConfiguration>> = {
  "one checkout, one crash": ONE,
  "rows made anew": { ...ONE, remakes: 1 },
  "an order overwritten under its checkout": { ...ONE, remakes: 1, careless: true },
  "credit comes late": { ...ONE, credit: 0, funds: 1 },
  "stock is out": { ...ONE, stock: 0 },
  "a second checkout": { ...ONE, checkouts: 2, resumers: 0, crashes: 0 },
};

/** For each trap, a configuration that falls into it, and the invariant that it then breaks. */
export const SAGA_MUTANTS: Readonly<Record<SagaFlaw, SagaConfiguration & { readonly breaks: Invariant }>> = {
  "version not compared": { ...ONE, breaks: "6 conservation" },
  "no tombstone": { ...ONE, breaks: "6 conservation" },
  "compensation before it is durable": { ...ONE, breaks: "6 conservation" },
  "paid without the claim": { ...ONE, careless: true, remakes: 1, breaks: "6 conservation" },
  "marker derived from the order id": {
    ...ONE,
    checkouts: 2,
    remakes: 1,
    resumers: 0,
    crashes: 0,
    breaks: "6 conservation",
  },
  "generation not compared": { ...ONE, remakes: 1, breaks: "6 conservation" },
  "forget before settled": { ...ONE, breaks: "6 conservation" },
  "age not checked": { ...ONE, credit: 2, stock: 2, breaks: "5 at most once" },
  "timeout taken for a refusal": { ...ONE, breaks: "6 conservation" },
  "refusal not marked": { ...ONE, credit: 0, funds: 1, breaks: "6 conservation" },
  "compensation dropped": { ...ONE, breaks: "7 settles by itself" },
};
