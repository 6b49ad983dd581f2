import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, Connection, Occ, TimeoutError, type CommitMode, type TransactOptions } from "redis-occ";
import { compact, type CompactOptions, type CompactResult } from "./compact/compact.ts";
import { isCompactionDue, type CompactThresholds } from "./compact/due.ts";
import { restores, type RestoreMessage } from "./diagnostics.ts";
import { GoneError, RestoringError } from "./errors.ts";
import { GUARD, indexKey, isInternal } from "./redis/keys.ts";
import { LogHook } from "./commit/log-hook.ts";
import type { LogEvent } from "./recover/recovery.ts";
import type { LogStore } from "./stores/store.ts";

/**
 * Where the state is, where its log is, and how long anything may take.
 *
 * @example
 * const options: LoggedRedisOptions = { url, store, indexes: ["seat:"], restorePatience: 1_000 };
 * const seats = new LoggedRedis(options);
 */
export interface LoggedRedisOptions {
  /** `redis://[:password@]host:port[/db]`. The database belongs to this state alone, and is wiped before a restore. */
  readonly url: string;
  readonly store: LogStore;
  /** Prefixes of keys that `keys` can list. A key belongs to the first prefix that it begins with. */
  readonly indexes?: readonly string[];
  /**
   * Transactions may give keys a time to live. The log is then of format 2, which older versions refuse, for good.
   * Default false.
   */
  readonly expiry?: boolean;
  /**
   * Transactions may change fields of hashes. The log is then of format 3, which older versions refuse, and so do processes without
   * this option, for good. Default false.
   */
  readonly hashes?: boolean;
  /** Milliseconds that a transaction or read takes at most, where the call does not say. Default 10,000. */
  readonly timeout?: number;
  /**
   * Milliseconds that a transaction or read waits for a restore before it ends with a RestoringError; the restore goes
   * on. Default: as long as the call may take.
   */
  readonly restorePatience?: number;
  /** Milliseconds for one round trip to Redis. Default 2,000. */
  readonly roundTripTimeout?: number;
  /** How transactions are kept optimistic: by WATCH … EXEC or by one script; see redis-occ. Default "watch". */
  readonly commit?: CommitMode;
  /** Connections at most. Default 8. */
  readonly connections?: number;
  /**
   * Milliseconds for which a process that restores may give no sign of life before this one takes over; the same for all processes of
   * a service, because whoever restores gives them by its own. Default 3,000.
   */
  readonly lockTtl?: number;
  /** Told what a restore does. */
  readonly onEvent?: (event: LogEvent) => void;
  /**
   * Looks now and then whether the log is to be compacted, and does it: for processes that live long. A schedule of one's own calls
   * `compactWhenDue` instead. Default: nobody looks.
   */
  readonly compaction?: CompactionOptions;
  /** The time that records carry. Default: the system's clock. */
  readonly now?: () => Date;
  /** By which what is told on the diagnostics channels is told apart. */
  readonly name?: string;
}

/**
 * See `compactWhenDue`.
 *
 * @example
 * const compaction: CompactionOptions = { bytes: 64 * 1024 * 1024, age: 24 * 3_600_000, every: 10_000 };
 * const seats = new LoggedRedis({ url, store, compaction });
 */
export interface CompactionOptions extends CompactThresholds {
  /** Milliseconds between two looks. Default a minute. */
  readonly every?: number;
}

const COMPACTION_EVERY = 60_000;

const KNOWN = new Set([
  "url",
  "store",
  "indexes",
  "expiry",
  "hashes",
  "timeout",
  "restorePatience",
  "roundTripTimeout",
  "commit",
  "connections",
  "lockTtl",
  "compaction",
  "onEvent",
  "now",
  "name",
]);

/**
 * State in Redis that is kept in a log: a transaction is answered once the log has it, and a Redis that is empty, older
 * or half restored is filled from the log before anything is answered from it.
 *
 * @example
 * const state = new LoggedRedis({ url: "redis://127.0.0.1:6379", store: await openFileStore({ folder: "log" }) });
 * const seats = await state.occ.transact(["seats"], (view) => {
 *   const left = (view.get<number>("seats") ?? 10) - 1;
 *   if (left < 0) throw new Error("sold out");
 *   return { result: left, set: { seats: left } };
 * }, { meta: { op: "book" } });
 */
export class LoggedRedis {
  /** Transactions and reads. What a call has as `meta` goes into its record, member by member. */
  readonly occ: Occ;
  readonly #hook: LogHook;
  readonly #indexes: readonly string[];
  readonly #store: LogStore;
  readonly #closing = new AbortController();
  #compacting: Promise<CompactResult> | undefined;
  readonly #schedule: NodeJS.Timeout | undefined;

  /** @throws TypeError for an option that does not exist or makes no sense */
  constructor(options: LoggedRedisOptions) {
    validate(options);
    const {
      url,
      store,
      indexes = [],
      timeout = 10_000,
      roundTripTimeout = 2_000,
      commit = "watch",
      connections = 8,
    } = options;
    const {
      expiry = false,
      hashes = false,
      restorePatience = Infinity,
      lockTtl = 3_000,
      now = () => new Date(),
      name,
    } = options;
    const onEvent = (event: LogEvent): void => {
      if (restores.hasSubscribers) restores.publish({ ...event, name, store: store.id } satisfies RestoreMessage);
      options.onEvent?.(event);
    };
    this.#indexes = indexes;
    this.#store = store;
    const open = (): Promise<Connection> => Connection.open({ url, roundTripTimeout });
    this.#hook = new LogHook({
      store,
      open,
      indexes,
      expiry,
      hashes,
      commit,
      lockTtl,
      restorePatience,
      onEvent,
      now,
      name,
    });
    if (options.compaction !== undefined) this.#schedule = this.#compactNowAndThen(options.compaction, onEvent);
    const named = name === undefined ? {} : { name };
    this.occ = new Occ({
      url,
      hook: this.#hook,
      dedicated: !hashes,
      timeout,
      roundTripTimeout,
      commit,
      connections,
      ...named,
    });
  }

  /** The epoch that this process last worked in; 0 before its first transaction or read. */
  get epoch(): number {
    return this.#hook.epoch;
  }

  /**
   * Resolves once the state is there, after restoring it if need be. It resolves at once if this process has worked
   * with the state before and knows of no restore since, because from then on every transaction and read checks by itself.
   * @param timeout milliseconds
   * @throws RestoringError if that takes longer
   */
  async ready({ timeout }: { readonly timeout?: number } = {}): Promise<void> {
    if (this.#hook.isInStep) return;
    const end = timeout === undefined ? Infinity : performance.now() + timeout;
    for (;;) {
      try {
        // No commit writes this key, so there is nothing on its way to the log to wait for.
        await this.occ.read([GUARD], end === Infinity ? {} : { timeout: Math.max(1, end - performance.now()) });
        return;
      } catch (error) {
        if (error instanceof RestoringError && performance.now() < end) continue;
        if (error instanceof TimeoutError) throw new RestoringError("the state is not there yet", { cause: error });
        throw error;
      }
    }
  }

  /**
   * Resolves once the restore that this process makes has ended, well or not, or the time is over; at once where it makes none, also if
   * it waits for somebody else's. For a process that is stopped when it has answered: nobody else can restore meanwhile.
   * @param timeout milliseconds
   */
  async restored({ timeout }: { readonly timeout: number }): Promise<void> {
    const patience = new AbortController();
    const over = sleep(timeout, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#hook.restored(), over]);
    patience.abort();
  }

  /**
   * The present keys with an indexed prefix, in the order of their last write.
   * @param until only keys last written at or before this time, in milliseconds since 1970
   * @param limit at most this many
   */
  async keys(
    prefix: string,
    { until, limit = 1_000, ...options }: { readonly until?: number; readonly limit?: number } & TransactOptions = {},
  ): Promise<string[]> {
    if (!this.#indexes.includes(prefix)) throw new TypeError(`keys that begin with "${prefix}" are not indexed`);
    const range = ["-inf", until ?? "+inf", "BYSCORE", "LIMIT", 0, limit] as const;
    const [members] = await this.occ.query([["zrange", indexKey(prefix), ...range]], options);
    return members as string[];
  }

  /**
   * Compacts the log if that is due; see `compact`. It is for a schedule and not for a request, because it reads all
   * that is new in the log and writes the live keys. One runs at a time in this process.
   * @returns null if it is not due
   */
  async compactWhenDue(
    thresholds: CompactThresholds,
    { deadline }: Pick<CompactOptions, "deadline"> = {},
  ): Promise<CompactResult | null> {
    const options = { signal: this.#closing.signal, ...(deadline === undefined ? {} : { deadline }) };
    try {
      if (this.#compacting === undefined && !(await isCompactionDue(this.#store, thresholds, Date.now()))) return null;
    } catch (error) {
      // Another process is at it.
      if (error instanceof GoneError) return null;
      throw error;
    }
    this.#compacting ??= compact(this.#store, options).finally(() => (this.#compacting = undefined));
    return await this.#compacting;
  }

  #compactNowAndThen(
    { every = COMPACTION_EVERY, ...thresholds }: CompactionOptions,
    onEvent: (event: LogEvent) => void,
  ) {
    const look = (): void => {
      this.compactWhenDue(thresholds).catch((error: unknown) => {
        // The next look comes anyway; what is compacted by then stays so.
        if (!this.#closing.signal.aborted) onEvent({ event: "compaction failed", error });
      });
    };
    return setInterval(look, every).unref();
  }

  /**
   * Closes connections and files. What was executed is appended to the log and answered; all else that is under way ends with an
   * error. With `drain` it goes on to its answer, or to its timeout, first. `await using` does it so.
   */
  async close({ drain = false }: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing.abort(new ClosedError());
    clearInterval(this.#schedule);
    await this.occ.close({ drain });
    await this.#compacting?.catch(() => undefined);
    await this.#hook.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ drain: true });
  }
}

/** What it hands on to `Occ` is checked there. */
function validate(given: LoggedRedisOptions): void {
  if (typeof (given as unknown) !== "object" || (given as unknown) === null)
    throw new TypeError("options must be an object");
  const { store, indexes = [], lockTtl = 1, restorePatience = Infinity, compaction, ...options } = given;
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw new TypeError(`unknown option ${name}`);
  }
  if (typeof options.url === "string" && options.url.includes("keyPrefix="))
    throw new TypeError(
      "url must carry no keyPrefix: the whole database belongs to the state, and is wiped before a restore",
    );
  if (typeof (store as LogStore | undefined)?.id !== "string") throw new TypeError("store must be a log store");
  if (compaction !== undefined) validateCompaction(compaction);
  if (!Number.isInteger(lockTtl) || lockTtl < 1)
    throw new TypeError("lockTtl must be a whole number of milliseconds from 1");
  for (const name of ["expiry", "hashes"] as const)
    if (typeof (options[name] ?? false) !== "boolean") throw new TypeError(`${name} must be true or false`);
  if (!(restorePatience > 0)) throw new TypeError("restorePatience must be a positive number of milliseconds");
  if (indexes.some((prefix) => prefix === "" || isInternal(prefix))) {
    throw new TypeError("indexes must be prefixes of keys, and none that begins with log: or occ:");
  }
}

function validateCompaction({ bytes, age, every = 1, ...others }: CompactionOptions): void {
  for (const name of Object.keys(others)) throw new TypeError(`unknown option ${name} of compaction`);
  for (const [name, value] of Object.entries({ bytes, age, every }))
    if (!(value > 0)) throw new TypeError(`${name} of compaction must be a positive number`);
}
