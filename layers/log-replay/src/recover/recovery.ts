import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, ConnectionLostError, type CommitMode, type Connection } from "redis-occ";
import { LogDamageError, StoreMismatchError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { assertPermitted, formatOf, neededFormat, permitsOf, type Permits } from "../format/version.ts";
import { mismatch } from "../redis/mismatch.ts";
import { assertKnownFormat } from "../read/known-format.ts";
import { fromNewestSnapshot } from "../read/newest-snapshot.ts";
import { unbroken } from "../read/chain.ts";
import { logEnd } from "../read/log-end.ts";
import { assertNoOlderLog, standingOf } from "../read/positions.ts";
import { GUARD, LAST, LOCK, STORE, TAIL, TURN } from "../redis/keys.ts";
import { keepRecorded, type Recorded } from "../redis/recorded.ts";
import { askWhetherFit, assertFit, assertRoom } from "../redis/server-check.ts";
import { judgeGuard, lastBegun, mayStay, nextEpoch, parseGuard, type Dataset, type Guard } from "../protocol.ts";
import { begin } from "./begin.ts";
import { applyHistory } from "./replay.ts";
import { Patience, RestoreLock, type Found } from "./lock.ts";
import { surveyHistory, type Survey } from "./survey.ts";
import type { LogStore } from "../stores/store.ts";

/** What a restore tells about itself. */
export type LogEvent =
  | { readonly event: "restore started"; readonly epoch: number }
  | { readonly event: "restore progress"; readonly epoch: number; readonly records: number; readonly of: number }
  | { readonly event: "restored"; readonly epoch: number; readonly records: number; readonly ms: number }
  | { readonly event: "segment truncated"; readonly segment: string; readonly copy: string }
  | { readonly event: "compaction failed"; readonly error: unknown };

/**
 * `Permits`: what the epoch's records may say. What its parent's may, they may in any case; only where `hashes` is false, none
 * begins on a log that has some.
 */
export interface RecoveryOptions extends Permits {
  readonly store: LogStore;
  readonly open: () => Promise<Connection>;
  /** Prefixes of the keys that are indexed. */
  readonly indexes: readonly string[];
  /** How the transactions that follow commit; default "watch". */
  readonly commit?: CommitMode;
  /** Milliseconds for which the lock's holder may give no sign of life before it is taken for dead; the same for all processes. */
  readonly lockTtl: number;
  readonly onEvent: (event: LogEvent) => void;
  /** Appends records of its own to the epoch that has just begun, before anybody else can. @returns the history with them */
  readonly amend?: (epoch: number, survey: Survey, renew: () => Promise<void>) => Promise<Survey>;
  /** Told that it is this process that restores. */
  readonly onTaken?: () => void;
  /** How many restores of this process have failed, one after the other. */
  readonly failures?: number;
  /**
   * Told of a restore that failed after it had claimed an epoch, and for how many milliseconds nobody is to try again.
   */
  readonly onFailure?: (error: unknown, pause: number) => void;
  /** Ends a recovery that is under way; whoever comes next starts over. */
  readonly signal: AbortSignal;
}

/** The state is there. */
export interface Recovered {
  readonly epoch: number;
  /** The server process that it is on. */
  readonly runId: string;
}

/** Milliseconds between two looks at a lock that somebody else holds: at first, and at most. */
const FIRST_PAUSE = 25;
const LONGEST_PAUSE = 1_000;

/** Epochs without a commit that are left in the log before they are tidied away. */
const MANY_IDLE = 16;

/** Milliseconds of the pause after a first failure, and of the longest one. */
const FIRST_FAILURE = 100;
const LONGEST_FAILURE = 10_000;

/**
 * Brings the state back, or waits until somebody else has. One process restores. Its lock only saves work: the token
 * that each of its writes checks is what fences a recoverer that has lost it. Whoever waits adds no work: it looks at
 * Redis less and less often, and not at the store. That a guard's epoch is over nobody needs to know here, because whoever
 * works in it looks for the claim.
 *
 * @param overEpoch an epoch that is to end even if its state looks fine, because an append to it has failed
 * @throws ConnectionLostError if Redis breaks or the lock is lost on the way: start over; LogDamageError;
 *   StoreMismatchError; StoreUnavailableError; what `assertFit` throws
 */
export async function recover(options: RecoveryOptions, overEpoch: number): Promise<Recovered> {
  const connection = await options.open();
  const { runId } = connection;
  const stop = (): void => connection.close();
  options.signal.addEventListener("abort", stop);
  const patience = new Patience(options.lockTtl);
  try {
    await assertFit(connection, options);
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      if (options.signal.aborted) throw new ClosedError();
      await failPoint("lock.before");
      const found = await RestoreLock.look(connection);
      const fine = fineEpoch(found, options.store, overEpoch);
      if (fine !== null) return { epoch: fine, runId };
      const isFree = found.held === null || patience.isOverWith(found.held);
      const lock = isFree ? await RestoreLock.take(connection, found, options.lockTtl) : null;
      if (lock !== null) return { epoch: await restoreUnder(lock, found.guard, connection, options, overEpoch), runId };
      const wait = pause * (0.5 + Math.random() / 2);
      await sleep(wait);
      patience.waits(wait);
    }
  } finally {
    options.signal.removeEventListener("abort", stop);
    connection.close();
  }
}

async function restoreUnder(
  lock: RestoreLock,
  guard: string | null,
  connection: Connection,
  options: RecoveryOptions,
  overEpoch: number,
): Promise<number> {
  const { store } = options;
  let epoch: number | null = null;
  try {
    options.onTaken?.();
    await failPoint("lock.after");
    const held = parseGuard(guard);
    await assertOurs(connection, store, held);
    if (held !== null && (await isInStepUnderNewName(held, guard, lock.dataset, connection, store, overEpoch))) {
      await lock.write([["set", GUARD, JSON.stringify({ ...held, replid: lock.dataset.replid })]], { releases: true });
      return held.epoch;
    }
    const [claims, begins] = await Promise.all([
      store.claims(),
      assertKnownFormat(store),
      assertRoom(connection, store),
    ]);
    // Whoever claimed before and has not begun may have died, or has found what nobody can restore, so that a claim
    // would be in vain.
    const highest = claims.at(-1) ?? 0;
    if (highest > lastBegun(begins)) await surveyHistory(store, progressOf(lock));
    // What that takes is known only now.
    const format = formatOf(begins.values());
    assertPermitted(format, options, `log ${store.id}`);
    if (format > neededFormat(options)) await askWhetherFit(options.open, { ...options, ...permitsOf(format) });
    // Whoever was held up until now must not claim, because somebody else may be restoring. Whoever is held up from here on finds
    // that epoch claimed, and must not end it by the next one.
    await lock.write([]);
    const next = nextEpoch(highest);
    if (!(await store.claim(next))) throw new ConnectionLostError(`epoch ${next} was claimed by another recovery`);
    epoch = next;
  } catch (error) {
    // Others need not wait for the lock to expire, except if the connection is gone.
    await lock.release().catch(() => undefined);
    throw error;
  }
  const progress: Progress = { idle: 0, hasBegun: false };
  try {
    await restore(epoch, lock, options, progress);
    return epoch;
  } catch (error) {
    const pause = pauseAfter(Math.max(progress.idle, options.failures ?? 0));
    // Damage that the survey finds is found again without a claim.
    if (error instanceof LogDamageError && !progress.hasBegun) await lock.release().catch(() => undefined);
    else {
      options.onFailure?.(error, pause);
      await lock.holdBack(pause).catch(() => undefined);
    }
    throw error;
  }
}

/** What has failed is likely to fail again, and each attempt leaves an epoch in the log. @param failures before this one */
function pauseAfter(failures: number): number {
  const bound = Math.min(FIRST_FAILURE * 2 ** Math.min(failures, 16), LONGEST_FAILURE);
  return Math.ceil(bound * (0.75 + Math.random() / 4));
}

interface Progress {
  /** Epochs before this one in which nothing was committed. */
  idle: number;
  hasBegun: boolean;
}

async function restore(epoch: number, lock: RestoreLock, options: RecoveryOptions, progress: Progress): Promise<void> {
  const { store, onEvent } = options;
  const started = performance.now();
  // Counted from the claim, because until then others may answer reads from the state before.
  const leased = sleep(store.readLease ?? 0);
  onEvent({ event: "restore started", epoch });
  const renew = progressOf(lock);
  const found = await surveyHistory(store, renew);
  progress.idle = found.idle.length;
  for (const { segment, copy } of found.truncated) onEvent({ event: "segment truncated", segment, copy });
  await begin(epoch, options, found);
  progress.hasBegun = true;
  const survey = (await options.amend?.(epoch, found, renew)) ?? found;

  const names = await fromNewestSnapshot(store, async (snapshot) => {
    await failPoint("wipe.before");
    await lock.write([
      ["flushdb", "async"],
      ["set", STORE, store.id],
    ]);
    await failPoint("wipe.after");
    return applyHistory(options, lock, survey, snapshot, (records) => {
      onEvent({ event: "restore progress", epoch, records, of: survey.records });
    });
  });
  await leased;
  await failPoint("guard.before");
  const { runId, replid } = lock.dataset;
  const guard: Guard = { epoch, run_id: runId, replid, store: store.id };
  const { cut } = survey;
  await lock.write(
    [
      ["xadd", TAIL, `${epoch}-${cut}`, "seed", ""],
      ["xtrim", TAIL, "MAXLEN", 0],
      ["set", LAST, cut],
      keepRecorded({ store: store.id, ...recordedOf(epoch, found, names) }),
      ["set", GUARD, JSON.stringify(guard)],
    ],
    { releases: true },
  );
  await failPoint("guard.after");
  onEvent({ event: "restored", epoch, records: survey.records, ms: Math.round(performance.now() - started) });
  // Nobody needs them any more, and nobody waits for this.
  if (found.idle.length >= MANY_IDLE) void store.forgetEpochs?.(found.idle, epoch - 1).catch(() => undefined);
}

/** What the restore of epoch `next` tells of the commits before it, if the last ones of them have these names. */
function recordedOf(next: number, { history, parent, cut }: Survey, txs: readonly string[]): Omit<Recorded, "store"> {
  const first = cut - txs.length;
  const isAll = history.some(({ epoch, from }) => epoch === parent && from === first);
  return { next, epoch: parent, from: isAll ? 0 : first, to: cut, txs };
}

function progressOf(lock: RestoreLock): () => Promise<void> {
  return () => {
    lock.progress();
    return Promise.resolve();
  };
}

/** The epoch of a state that need not be restored, as far as Redis can tell; null if it must be. @throws StoreMismatchError */
function fineEpoch({ guard: text, dataset }: Found, store: LogStore, overEpoch: number): number | null {
  const guard = parseGuard(text);
  const verdict = judgeGuard(guard, { ...dataset, store: store.id });
  if (verdict === "foreign") throw mismatch(`Redis holds the state of log ${guard?.store}, this is log ${store.id}`);
  return verdict === "fine" && guard !== null && mayStay(guard.epoch, false, overEpoch) ? guard.epoch : null;
}

/** Whether only the name of the data's history has changed, as it does when a first replica attaches. */
async function isInStepUnderNewName(
  guard: Guard,
  text: string | null,
  dataset: Dataset,
  connection: Connection,
  store: LogStore,
  overEpoch: number,
): Promise<boolean> {
  if (text === null || judgeGuard(guard, { ...dataset, store: store.id }) !== "compare") return false;
  const cut = (await store.begin(guard.epoch))?.cut;
  if (cut === undefined || !mayStay(guard.epoch, await store.isSealed(guard.epoch), overEpoch)) return false;
  return (await standingOf(store, connection, { guard: text, epoch: guard.epoch, cut })) === "in step";
}

/**
 * Restoring wipes the database. So it must be empty, or have been filled from this very log, and the log must reach as
 * far as what is in there: an empty folder mounted by mistake must not wipe a shop.
 */
async function assertOurs(connection: Connection, store: LogStore, guard: Guard | null): Promise<void> {
  const [origin] = await connection.pipeline([["get", STORE]]);
  if (origin !== null && origin !== store.id) {
    throw mismatch(`Redis holds the state of log ${String(origin)}, this is log ${store.id}`);
  }
  if (origin === null && (await holdsForeignKey(connection))) {
    throw new StoreMismatchError(
      "Redis holds data that is of no log; it will not be wiped: adopt of log-replay/tools makes a log of it",
    );
  }
  if (guard === null) return;
  const highest = (await store.claims()).at(-1) ?? 0;
  if (guard.epoch > highest) {
    throw mismatch(`Redis is in epoch ${guard.epoch}, log ${store.id} knows of ${highest} only`);
  }
  await assertNoOlderLog(store, connection, guard.epoch, (expected) => endOf(store, guard.epoch, expected));
}

/** The last commit of an epoch that the log has. */
async function endOf(store: LogStore, epoch: number, expected: number): Promise<number> {
  const begins = await store.begins();
  const stretch = unbroken(begins, lastBegun(begins)).find((each) => each.epoch === epoch);
  // Passed over, because nothing that was answered was committed in it.
  if (stretch === undefined) return Infinity;
  return stretch.to === Infinity ? logEnd(store, { epoch, cut: stretch.from, expected }) : stretch.to;
}

/**
 * A Redis that was flushed has these: the lock by now, the turn of a process that has yet to notice, and what fences
 * off a lost EXEC.
 */
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
