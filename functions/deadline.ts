/**
 * Milliseconds until a deadline, now and not when the work for it began: whatever came before has taken its part. At least 1, so that
 * what comes too late ends as a timeout.
 * @param deadline milliseconds since 1970
 */
export function remaining(deadline: number): number {
  return Math.max(1, deadline - Date.now());
}
