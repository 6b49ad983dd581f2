/** Options that several commands have. */
import { parseMoment, type Moment } from "../tools/moment.ts";

export const MOMENT =
  "a commit (N or EPOCH:N) or a time (2026-01-31T12:00:00Z, or as show prints it; UTC where it names no zone)";

export const moment = (text: string): Moment => parseMoment(text);

/**
 * A whole number, as an option's `parse`.
 * @throws TypeError
 *
 * @example
 * const last = { argument: "count", what: "only the last ones", parse: natural };
 */
export function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new TypeError("a whole number is needed");
  return Number(text);
}

export const LAST = { argument: "count", parse: natural } as const;
