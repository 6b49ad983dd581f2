/** The invariants, by their names in the design. */
export const INVARIANTS = [
  "1 an answer is durable",
  "2 the log is a prefix",
  "3 replay is a function of the log",
  "4 no write on missing state",
  "5 at most once",
  "6 conservation",
  "7 settles by itself",
] as const;

export type Invariant = (typeof INVARIANTS)[number];
