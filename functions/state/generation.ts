import { nanoid } from "nanoid";

/**
 * Tells the rows that were made together from any others with the same ids: 48 random bits. Short, since each of them carries it, and
 * so does each marker and log record.
 */
export function newGeneration(): string {
  return nanoid(8);
}
