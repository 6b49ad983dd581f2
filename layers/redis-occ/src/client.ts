import { transactionChannel, type TransactionMessage } from "./diagnostics.ts";
import { Committer } from "./committer.ts";
import { Connection, type Command, type Reply } from "./connection.ts";
import { GroupCommit } from "./group.ts";
import { noHook, type CommitHook } from "./hook.ts";
import type { Lane, OpenLane } from "./lane.ts";
import { Pool } from "./pool.ts";
import { Reader } from "./reader.ts";
import { ScriptLane } from "./script-lane.ts";
import { Transaction, type Decide, type TransactOptions } from "./transaction.ts";
import { WatchLane } from "./watch-lane.ts";

export interface OccOptions {
  /** `redis://[:password@]host:port[/db]` */
  readonly url: string;
  /** Takes part in every transaction and read. */
  readonly hook?: CommitHook;
  /**
   * How "only if nothing has changed" is kept: by WATCH … EXEC, or by one Lua script that compares what was read and
   * then writes. The promises are the same. Default "watch".
   */
  readonly commit?: CommitMode;
  /**
   * The most attempts and reads at the same time. With "watch" each has a connection, with "script" they share one.
   * Default 8.
   */
  readonly connections?: number;
  /**
   * Attempts of a transaction that keeps colliding with other clients before it ends with a ConflictError. Default 100.
   */
  readonly maxAttempts?: number;
  /** Milliseconds that a transaction or read takes at most, where the call does not say. Default 10,000. */
  readonly timeout?: number;
  /** Milliseconds for one round trip; a server that takes longer is treated as lost. Default 2,000. */
  readonly roundTripTimeout?: number;
  /** Source of the jitter, from 0 to 1. Default Math.random. */
  readonly random?: () => number;
  /** By which what is told on the diagnostics channels is told apart. */
  readonly name?: string;
}

export type CommitMode = "watch" | "script";

/** One transaction of a batch. */
export interface BatchPart<T> {
  readonly keys: readonly string[];
  readonly decide: Decide<T>;
}

const KNOWN = new Set([
  "url",
  "hook",
  "commit",
  "connections",
  "maxAttempts",
  "timeout",
  "roundTripTimeout",
  "random",
  "name",
]);

/**
 * Optimistic transactions on one Redis.
 *
 * @example
 * const occ = new Occ({ url: "redis://127.0.0.1:6379" });
 * const left = await occ.transact(["seats"], (view) => {
 *   const seats = view.get<number>("seats") ?? 10;
 *   if (seats === 0) throw new Error("sold out");
 *   return { result: seats - 1, set: { seats: seats - 1 } };
 * });
 */
export class Occ {
  readonly #pool: Pool<Lane>;
  readonly #committer: Committer;
  readonly #group: GroupCommit;
  readonly #reader: Reader;
  readonly #timeout: number;
  readonly #name: string | undefined;

  /** @throws TypeError for an option that does not exist or makes no sense */
  constructor(options: OccOptions) {
    validate(options);
    const {
      url,
      hook = noHook,
      commit = "watch",
      connections = 8,
      maxAttempts = 100,
      timeout = 10_000,
      roundTripTimeout = 2_000,
      random = Math.random,
      name,
    } = options;
    this.#timeout = timeout;
    this.#name = name;
    this.#pool = new Pool(
      laneOpener(commit, () => Connection.open({ url, roundTripTimeout })),
      connections,
    );
    this.#committer = new Committer({ pool: this.#pool, hook, maxAttempts, random, name });
    this.#group = new GroupCommit(this.#committer, hook);
    this.#reader = new Reader({ pool: this.#pool, hook, random });
  }

  /**
   * Reads `keys`, lets `decide` choose, and writes what it chose if no other client has changed what was read.
   * Otherwise it does all of that again. Transactions that wait at the same time are committed together; each succeeds
   * or refuses by itself.
   *
   * @returns the decision's result
   * @throws what `decide` throws; otherwise an OccError, whose `retryable` is true if nothing was changed
   */
  async transact<T>(keys: readonly string[], decide: Decide<T>, options: TransactOptions = {}): Promise<T> {
    const transaction = this.#create(keys, decide, options);
    return (await this.#told(transaction, () => {
      this.#group.submit(transaction);
      return transaction.answer;
    })) as T;
  }

  /** Where somebody listens: its beginning and its end, in the caller's asynchronous context. */
  #told(transaction: Transaction, run: () => Promise<unknown>): Promise<unknown> {
    if (!transactionChannel.hasSubscribers) return run();
    const message: TransactionMessage = { name: this.#name, meta: transaction.meta };
    transaction.message = message;
    return transactionChannel.tracePromise(run, message);
  }

  /**
   * Like `transact`, but on a connection of its own and in no group: for transactions of many keys.
   * @throws as `transact`
   */
  async transactAlone<T>(keys: readonly string[], decide: Decide<T>, options: TransactOptions = {}): Promise<T> {
    const transaction = this.#create(keys, decide, options);
    const run = (transactions: readonly Transaction[]): void => void this.#committer.commit(transactions, run);
    return (await this.#told(transaction, () => {
      run([transaction]);
      return transaction.answer;
    })) as T;
  }

  /**
   * Many large transactions, `concurrency` of them at a time, each by itself (`transactAlone`): a failure leaves whole
   * parts done and the rest undone.
   * @returns their results in order
   * @throws the error of the first part that failed, after those under way have ended; TypeError for a `concurrency`
   *   that is no whole number from 1
   */
  async batch<T>(
    parts: Iterable<BatchPart<T>>,
    options: TransactOptions & { readonly concurrency?: number } = {},
  ): Promise<T[]> {
    const { concurrency = 2 } = options;
    checkCount("concurrency", concurrency);
    const results: T[] = [];
    const errors: unknown[] = [];
    const queue = parts[Symbol.iterator]();
    let taken = 0;
    const work = async (): Promise<void> => {
      try {
        while (errors.length === 0) {
          const next = queue.next();
          if (next.done === true) return;
          const i = taken++;
          results[i] = await this.transactAlone(next.value.keys, next.value.decide, options);
        }
      } catch (error) {
        errors.push(error);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
    if (errors.length > 0) throw errors[0];
    return results;
  }

  /**
   * The values of `keys` at one instant, null where there is none.
   * @throws OccError; a read changes nothing, so each is retryable
   */
  async read<T>(keys: readonly string[], options: TransactOptions = {}): Promise<(T | null)[]> {
    const images = await this.#reader.values(keys, this.#timeoutOf(options));
    return images.map((image) => (image === null ? null : (JSON.parse(image) as T)));
  }

  /**
   * The replies to commands that only read, at one instant, behind the same check as `read`. They are as in the reply
   * of EXEC: ioredis does not transform them (as it makes an object of HGETALL's).
   */
  async query(commands: readonly Command[], options: TransactOptions = {}): Promise<Reply[]> {
    return this.#reader.query(commands, this.#timeoutOf(options));
  }

  /**
   * Closes every connection. Transactions that have not sent their EXEC end with a ClosedError, and those that wait for
   * its answer with an OutcomeUnknownError. Those whose EXEC ran get the answer that the hook allows.
   */
  close(): void {
    this.#pool.close();
  }

  #create<T>(keys: readonly string[], decide: Decide<T>, options: TransactOptions): Transaction {
    return new Transaction(keys, decide, options.meta, this.#timeoutOf(options));
  }

  #timeoutOf({ timeout = this.#timeout }: TransactOptions): number {
    checkDuration("timeout", timeout);
    return timeout;
  }
}

function laneOpener(commit: CommitMode, open: () => Promise<Connection>): OpenLane {
  return commit === "script" ? ScriptLane.sharing(open) : async () => new WatchLane(await open());
}

function validate(options: OccOptions): void {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw new TypeError(`unknown option ${name}`);
  }
  if (!/^(redis|rediss|unix):/.test(options.url))
    throw new TypeError("url must begin with redis://, rediss:// or unix://");
  if (!["watch", "script"].includes(options.commit ?? "watch"))
    throw new TypeError('commit must be "watch" or "script"');
  for (const name of ["connections", "maxAttempts"] as const) checkCount(name, options[name] ?? 1);
  for (const name of ["timeout", "roundTripTimeout"] as const) checkDuration(name, options[name] ?? 1);
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`${name} must be a whole number from 1`);
}

/** Node turns a longer delay than this into one of 1 ms. */
const LONGEST_DELAY = 2 ** 31 - 1;

function checkDuration(name: string, milliseconds: number): void {
  if (!(milliseconds > 0 && milliseconds <= LONGEST_DELAY)) {
    throw new TypeError(`${name} must be a number of milliseconds greater than 0 and below 2^31`);
  }
}
