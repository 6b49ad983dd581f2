import type { Position } from "../record.ts";
import { eachImage, timeOf } from "../record.ts";
import type { LogStore } from "../store.ts";
import { isAfter, type Moment } from "./moment.ts";
import { readHistory } from "./read-history.ts";

/** The state that a log gives by itself, without a Redis. */
export interface StateAt {
  /** The last commit in it; null for the state before the first one. */
  readonly last: CommitAt | null;
  /** Each present key's value, as the JSON text that Redis would hold. */
  readonly images: ReadonlyMap<string, string>;
}

export interface CommitAt extends Position {
  /** Milliseconds since 1970. */
  readonly time: number;
}

/**
 * @param moment default: the end
 * @throws RangeError where the history does not have that commit; LogDamageError; StoreUnavailableError
 */
export async function stateAt(store: LogStore, moment?: Moment): Promise<StateAt> {
  const images = new Map<string, string>();
  const put = (key: string, image: string | null): void => void (image === null ? images.delete(key) : images.set(key, image));
  const last = await walkTo(store, moment, (line, file) => eachImage(line, file, put));
  return { last, images };
}

/** The last commit up to a moment. @returns null where that is before the first one @throws as `stateAt` */
export function commitAt(store: LogStore, moment: Moment): Promise<CommitAt | null> {
  return walkTo(store, moment, () => undefined);
}

async function walkTo(store: LogStore, moment: Moment | undefined, visit: (line: Buffer, file: string) => void): Promise<CommitAt | null> {
  let last: CommitAt | null = null;
  for await (const { epoch, n, line, file } of readHistory(store)) {
    const time = timeOf(line);
    if (moment !== undefined && isAfter({ n, time }, moment)) break;
    visit(line, file);
    last = { epoch, n, time };
  }
  if (moment !== undefined && !("time" in moment)) assertReached(moment, last);
  return last;
}

/** Commit 0 stands for the state before the first one. */
function assertReached({ epoch, n }: { readonly epoch?: number; readonly n: number }, last: CommitAt | null): void {
  if (n === 0 && epoch === undefined) return;
  if (last === null || last.n < n) throw new RangeError(`there is no commit ${n}: the history ends with ${last === null ? "nothing" : `${last.epoch}:${last.n}`}`);
  if (epoch !== undefined && last.epoch !== epoch) throw new RangeError(`commit ${n} is one of epoch ${last.epoch}, epoch ${epoch} does not have it`);
}
