import { ServerRefusedError, type Connection, type Reply } from "redis-occ";
import { type StoreMismatchError, StoreUnavailableError } from "../errors.ts";
import { comparePositions, type Reach } from "../protocol.ts";
import { logEnd } from "./log-end.ts";
import { GUARD, LAST } from "../redis/keys.ts";
import { mismatch } from "../redis/mismatch.ts";
import { parseTail, readFirstOfTail } from "../redis/tail.ts";
import type { LogStore } from "../stores/store.ts";

/** How a state and its log stand to each other. `other state`: the guard is another one by now. */
export type Standing = "in step" | "went back" | "other state";

/** A state: its guard as Redis holds it, the epoch that this names, and the commit that the epoch goes on from. */
export interface GuardedState {
  readonly guard: string;
  readonly epoch: number;
  readonly cut: number;
}

/**
 * Compares a state with the log's end. Nothing that was answered is missing in either, unless somebody has put an older one
 * there. A process asks for this when it comes to a state over a new connection, and now and then.
 *
 * @param connection may watch keys: nothing is sent that would end that
 * @throws StoreMismatchError where the log is the older one: nothing may be written to it, nor wiped because of it
 */
export async function standingOf(store: LogStore, connection: Connection, state: GuardedState): Promise<Standing> {
  const { guard, epoch, cut } = state;
  // What Redis believes durable is asked for before the log, and what has been committed after it.
  const before = await reachOf(connection);
  const [sealed, end] = await Promise.all([
    isSealed(store, epoch),
    before === null ? 0 : logEnd(store, { epoch, cut, expected: before.floor }),
  ]);
  // An epoch that is over may have been folded away. Whoever answers for it looks for the claim.
  if (sealed) return "in step";
  if (before === null) return "went back";
  if (comparePositions(before, end) === "in step") return "in step";
  const [now, last] = await connection.pipeline([
    ["get", GUARD],
    ["get", LAST],
  ]);
  if (now !== guard) return "other state";
  const standing = comparePositions({ floor: before.floor, last: lastOf(last) }, end);
  if (standing === "older log") throw olderLog(store, epoch, end, before.floor);
  return standing;
}

/**
 * Refuses to restore from a log that is older than what Redis knows to be durable.
 * @param end the last commit of the guard's epoch that the log has
 * @throws StoreMismatchError
 */
export async function assertNoOlderLog(
  store: LogStore,
  connection: Connection,
  epoch: number,
  end: (expected: number) => Promise<number>,
): Promise<void> {
  const reach = await reachOf(connection);
  if (reach === null) return;
  const reached = await end(reach.floor);
  if (comparePositions(reach, reached) === "older log") throw olderLog(store, epoch, reached, reach.floor);
}

/** How far the state has come; null where the keys that tell are not what a restore has made of them. */
async function reachOf(connection: Connection): Promise<Reach | null> {
  try {
    const [last, first] = await connection.pipeline([["get", LAST], readFirstOfTail()]);
    const oldest = parseTail(first)[0];
    return { floor: oldest === undefined ? lastOf(last) : oldest.n - 1, last: lastOf(last) };
  } catch (error) {
    if (error instanceof ServerRefusedError) return null;
    throw error;
  }
}

function olderLog(store: LogStore, epoch: number, end: number, floor: number): StoreMismatchError {
  return mismatch(
    `log ${store.id} ends with commit ${end} of epoch ${epoch}, and Redis knows commit ${floor} to be in it, ` +
      "so an older log was put in its place",
  );
}

/** @throws StoreMismatchError where the log does not reach as far as the epoch */
async function isSealed(store: LogStore, epoch: number): Promise<boolean> {
  try {
    return await store.isSealed(epoch);
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    const highest = (await store.claims()).at(-1) ?? 0;
    if (highest === 0 || highest >= epoch) throw error;
    throw mismatch(`Redis is in epoch ${epoch}, log ${store.id} knows of ${highest} only`);
  }
}

/** A state that lacks the number is none that a restore has made. */
function lastOf(reply: Reply | undefined): number {
  return typeof reply === "string" ? Number(reply) : -1;
}
