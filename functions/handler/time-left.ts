/** As much of a Lambda context as tells how long the invocation may take; `serverless invoke local` may give none. */
export interface Invocation {
  readonly getRemainingTimeInMillis?: () => number;
}

/**
 * Milliseconds that the invocation may still work: at most `patience`, at least 1, and few enough to leave `reserve`
 * for its answer.
 */
export function timeLeft(invocation: Invocation, patience: number, reserve: number): number {
  const left = invocation.getRemainingTimeInMillis?.() ?? Infinity;
  // A restore may have taken all the time: what follows then ends at once, as a timeout.
  return Math.max(1, Math.min(patience, left - reserve));
}
