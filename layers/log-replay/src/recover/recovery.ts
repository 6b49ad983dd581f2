import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, type CommitMode, type Connection } from "redis-occ";
import { StoreMismatchError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { assertKnownFormat } from "../read/known-format.ts";
import { fromNewestSnapshot } from "../read/newest-snapshot.ts";
import { GUARD, LOCK, STORE, TAIL, TURN } from "../redis/keys.ts";
import { assertFit } from "../redis/server-check.ts";
import { judgeGuard, mayStay, nextEpoch, parseGuard, type Guard } from "../protocol.ts";
import { applyHistory } from "./replay.ts";
import { RestoreLock } from "./lock.ts";
import { surveyHistory, type Survey } from "./survey.ts";
import type { LogStore } from "../stores/store.ts";

/** What a restore tells about itself. */
export type LogEvent =
  | { readonly event: "restore started"; readonly epoch: number }
  | { readonly event: "restore progress"; readonly epoch: number; readonly records: number; readonly of: number }
  | { readonly event: "restored"; readonly epoch: number; readonly records: number; readonly ms: number }
  | { readonly event: "torn frame cut"; readonly segment: string; readonly copy: string };

export interface RecoveryOptions {
  readonly store: LogStore;
  readonly open: () => Promise<Connection>;
  /** Prefixes of the keys that are indexed. */
  readonly indexes: readonly string[];
  /** How the transactions that follow commit; default "watch". */
  readonly commit?: CommitMode;
  /** Milliseconds after which the lock of a recoverer that no longer renews it is free. */
  readonly lockTtl: number;
  readonly onEvent: (event: LogEvent) => void;
  /** Appends records of its own to the epoch that has just begun, before anybody else can. @returns the history with them */
  readonly amend?: (epoch: number, survey: Survey, renew: () => Promise<void>) => Promise<Survey>;
  /** Ends a recovery that is under way; whoever comes next starts over. */
  readonly signal: AbortSignal;
}

/** Milliseconds between two looks at a lock that somebody else holds. */
const POLL = 25;

/**
 * Brings the state back, or waits until somebody else has. One process restores; its lock is a matter of economy only:
 * what fences a recoverer that lost it is the token that each of its writes checks.
 *
 * @param overEpoch an epoch that is to be ended even where its state looks fine: an append to it has failed
 * @returns the epoch that the state is in
 * @throws ConnectionLostError where Redis breaks or the lock is lost on the way: start over; LogDamageError;
 *   StoreMismatchError; StoreUnavailableError; what `assertFit` throws
 */
export async function recover(options: RecoveryOptions, overEpoch: number): Promise<number> {
  const connection = await options.open();
  const stop = (): void => connection.close();
  options.signal.addEventListener("abort", stop);
  try {
    await assertFit(connection, options.store, options.commit);
    for (;;) {
      if (options.signal.aborted) throw new ClosedError();
      await failPoint("lock.before");
      const lock = await RestoreLock.take(connection, options.lockTtl);
      if (lock !== null) return await restoreUnder(lock, connection, options, overEpoch);
      const epoch = await fineEpoch(connection, options.store, overEpoch);
      if (epoch !== null) return epoch;
      await sleep(POLL);
    }
  } finally {
    options.signal.removeEventListener("abort", stop);
    connection.close();
  }
}

async function restoreUnder(
  lock: RestoreLock,
  connection: Connection,
  options: RecoveryOptions,
  overEpoch: number,
): Promise<number> {
  const { store, onEvent } = options;
  const started = performance.now();
  try {
    await failPoint("lock.after");
    const fine = await fineEpoch(connection, store, overEpoch);
    if (fine !== null) {
      await lock.release();
      return fine;
    }
    await assertOurs(connection, store);

    const epoch = await claimNext(store);
    onEvent({ event: "restore started", epoch });
    const renew = (): Promise<void> => lock.renewWhenDue();
    const found = await surveyHistory(store, renew);
    for (const { segment, copy } of found.cutSegments) onEvent({ event: "torn frame cut", segment, copy });
    await store.writeBegin(epoch, { parent: found.parent, cut: found.cut });
    const survey = (await options.amend?.(epoch, found, renew)) ?? found;

    await fromNewestSnapshot(store, async (snapshot) => {
      await failPoint("wipe.before");
      await lock.write(
        [
          ["flushdb", "async"],
          ["set", STORE, store.id],
        ],
        { wipes: true },
      );
      await failPoint("wipe.after");
      await applyHistory(options, lock, survey, snapshot, (records) => {
        onEvent({ event: "restore progress", epoch, records, of: survey.records });
      });
    });
    await failPoint("guard.before");
    const guard: Guard = { epoch, run_id: connection.runId, store: store.id };
    await lock.write(
      [
        ["xadd", TAIL, `${epoch}-${survey.cut}`, "seed", ""],
        ["xtrim", TAIL, "MAXLEN", 0],
        ["set", GUARD, JSON.stringify(guard)],
      ],
      { releases: true },
    );
    await failPoint("guard.after");
    onEvent({ event: "restored", epoch, records: survey.records, ms: Math.round(performance.now() - started) });
    return epoch;
  } catch (error) {
    // Others need not wait for the lock to expire; where the connection is gone they do.
    await lock.release().catch(() => undefined);
    throw error;
  }
}

/** The epoch of a state that needs no restoring; null where it does. @throws StoreMismatchError */
async function fineEpoch(connection: Connection, store: LogStore, overEpoch: number): Promise<number | null> {
  const [text] = await connection.pipeline([["get", GUARD]]);
  const guard = parseGuard(typeof text === "string" ? text : null);
  const verdict = judgeGuard(guard, { runId: connection.runId, store: store.id });
  if (verdict === "foreign")
    throw new StoreMismatchError(`Redis holds the state of log ${guard?.store}, this is log ${store.id}`);
  if (verdict !== "fine" || guard === null) return null;
  return mayStay(guard.epoch, await store.isSealed(guard.epoch), overEpoch) ? guard.epoch : null;
}

/**
 * Restoring wipes the database. So it must be empty, or have been filled from this very log, and the log must reach as
 * far as what is in there: an empty folder mounted by mistake must not wipe a shop.
 */
async function assertOurs(connection: Connection, store: LogStore): Promise<void> {
  const [origin, text] = await connection.pipeline([
    ["get", STORE],
    ["get", GUARD],
  ]);
  if (origin !== null && origin !== store.id) {
    throw new StoreMismatchError(`Redis holds the state of log ${String(origin)}, this is log ${store.id}`);
  }
  if (origin === null && (await holdsForeignKey(connection))) {
    throw new StoreMismatchError("Redis holds data that is of no log; it will not be wiped");
  }
  const guard = parseGuard(typeof text === "string" ? text : null);
  const highest = (await store.claims()).at(-1) ?? 0;
  if (guard !== null && guard.epoch > highest) {
    throw new StoreMismatchError(`Redis is in epoch ${guard.epoch}, log ${store.id} knows of ${highest} only`);
  }
}

/** In a Redis that was flushed: the lock by now, the turn of a process that has yet to notice, and what settles a lost EXEC. */
async function holdsForeignKey(connection: Connection): Promise<boolean> {
  for (let cursor = "0"; ;) {
    const [reply] = await connection.pipeline([["scan", cursor, "COUNT", 1_000]]);
    const [next, keys] = reply as [string, string[]];
    if (keys.some((key) => key !== LOCK && key !== TURN && !key.startsWith("occ:"))) return true;
    if (next === "0") return false;
    cursor = next;
  }
}

/** Seals every epoch there is and takes the next number, in one step that only one claimant can win. @throws FormatError */
export async function claimNext(store: LogStore): Promise<number> {
  await assertKnownFormat(store);
  for (;;) {
    const next = nextEpoch((await store.claims()).at(-1) ?? 0);
    if (await store.claim(next)) return next;
  }
}
