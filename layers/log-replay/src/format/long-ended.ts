/**
 * Milliseconds after its end from which on a key need not be kept. Redis's clock alone says whether it has ended: this is for
 * other clocks, and more than they differ.
 */
const LONG = 3_600_000;

/**
 * Whether a key has ended for so long that any clock says so.
 * @param end null for a key that stays
 * @param now by some clock; both in milliseconds since 1970
 */
export function hasLongEnded(end: number | null, now: number): boolean {
  return end !== null && end <= now - LONG;
}
