import { nanoid } from "nanoid";

/**
 * Tells the rows that were made together from any others with the same ids. It has 48 random bits: each row, marker and
 * log record carries it, so it is short.
 */
export function newGeneration(): string {
  return nanoid(8);
}
