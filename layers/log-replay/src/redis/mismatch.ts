import { StoreMismatchError } from "../errors.ts";

/**
 * A Redis and a log that do not belong together. Nobody but an operator knows which of the two is the wrong one, so it says what
 * can be done.
 * @param what they say of each other
 */
export function mismatch(what: string): StoreMismatchError {
  return new StoreMismatchError(
    `${what}: give it the right log or the right Redis, or FLUSHDB that Redis if its state may go`,
  );
}
