/** The traps of the saga: each one, switched on, takes one precaution out of it. */
export const SAGA_FLAWS = {
  "version not compared": "a transition does not compare the saga's version and state",
  "no tombstone": "undoing a step that was not done leaves no marker",
  "compensation before it is durable": "a resumer undoes the steps first, and writes that it does so after that",
  "paid without the claim": "paying does not look whether the order is still this saga's",
  "marker derived from the order id": "markers carry the order's id in place of the saga's",
  "generation not compared": "what is given back goes to whatever has the same id now",
  "forget before settled": "markers are dropped after the retention, settled or not",
  "age not checked": "a step of a saga whose markers may be gone is executed",
  "timeout taken for a refusal": "a step that timed out is not undone",
  "refusal not marked": "a refused step leaves no marker",
  "compensation dropped": "the resumer takes running sagas only",
} as const;

export type SagaFlaw = keyof typeof SAGA_FLAWS;
