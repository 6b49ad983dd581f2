import { historyLines } from "../read/history-lines.ts";
import { timeOf, type Position } from "../format/record.ts";
import type { LogStore } from "../stores/store.ts";
import { isAfter, type Moment } from "./moment.ts";

export interface CommitAt extends Position {
  /** Milliseconds since 1970. */
  readonly time: number;
}

/**
 * The last commit up to a moment.
 * @returns null where that is before the first one
 * @throws RangeError if the history does not have the commit that is named; LogDamageError; StoreUnavailableError
 *
 * @example
 * const last = await commitAt(store, { time: Date.parse("2026-01-31T12:00:00Z") });
 * console.log(last === null ? "before the first one" : `${last.epoch}:${last.n}`);
 */
export async function commitAt(store: LogStore, moment: Moment): Promise<CommitAt | null> {
  let last: CommitAt | null = null;
  for await (const { epoch, n, line } of historyLines(store)) {
    const time = timeOf(line);
    if (isAfter({ n, time }, moment)) break;
    last = { epoch, n, time };
  }
  if (!("time" in moment)) assertReached(moment, last);
  return last;
}

/** Commit 0 stands for the state before the first one; no epoch has it. */
function assertReached({ epoch, n }: { readonly epoch?: number; readonly n: number }, last: CommitAt | null): void {
  if (n === 0 && epoch === undefined) return;
  if (n === 0)
    throw new RangeError(
      "no epoch has a commit 0: commits count from 1, and 0 without an epoch is the state before the first one",
    );
  if (last === null || last.n < n)
    throw new RangeError(
      `there is no commit ${n}: the history ${last === null ? "is empty" : `ends with ${last.epoch}:${last.n}`}`,
    );
  if (epoch !== undefined && last.epoch !== epoch)
    throw new RangeError(`commit ${n} is one of epoch ${last.epoch}, epoch ${epoch} does not have it`);
}
