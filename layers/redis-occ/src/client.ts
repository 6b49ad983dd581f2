import { Committer } from "./committer.ts";
import { Connection, type Command, type Reply } from "./connection.ts";
import { GroupCommit } from "./group.ts";
import { noHook, type CommitHook } from "./hook.ts";
import { Pool } from "./pool.ts";
import { Reader } from "./reader.ts";
import { Transaction, type Decide, type TransactOptions } from "./transaction.ts";

export interface OccOptions {
  /** `redis://[:password@]host:port[/db]` */
  readonly url: string;
  /** Takes part in every transaction and read. */
  readonly hook?: CommitHook;
  /** Connections at most, groups, large transactions and reads together. Default 8. */
  readonly connections?: number;
  /** Attempts of a transaction that keeps colliding with other clients, before a ConflictError. Default 100. */
  readonly maxAttempts?: number;
  /** Milliseconds that a transaction or read takes at most, where the call does not say. Default 10,000. */
  readonly timeout?: number;
  /** Milliseconds for one round trip; a server that takes longer is treated as lost. Default 2,000. */
  readonly roundTripTimeout?: number;
  /** Source of the jitter, from 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/** One transaction of a batch. */
export interface BatchPart<T> {
  readonly keys: readonly string[];
  readonly decide: Decide<T>;
}

const KNOWN = new Set(["url", "hook", "connections", "maxAttempts", "timeout", "roundTripTimeout", "random"]);

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
  readonly #pool: Pool;
  readonly #committer: Committer;
  readonly #group: GroupCommit;
  readonly #reader: Reader;
  readonly #timeout: number;

  /** @throws TypeError for an option that does not exist or makes no sense */
  constructor(options: OccOptions) {
    validate(options);
    const { url, hook = noHook, connections = 8, maxAttempts = 100, timeout = 10_000, roundTripTimeout = 2_000, random = Math.random } = options;
    this.#timeout = timeout;
    this.#pool = new Pool(() => Connection.open({ url, roundTripTimeout }), connections);
    this.#committer = new Committer({ pool: this.#pool, hook, maxAttempts, random });
    this.#group = new GroupCommit(this.#committer);
    this.#reader = new Reader({ pool: this.#pool, hook, random });
  }

  /**
   * Reads `keys`, lets `decide` choose, and writes what it chose, if no other client changed what was read: else all
   * of it again. Transactions that wait at the same time are committed together; each succeeds or refuses by itself.
   *
   * @returns the decision's result
   * @throws what `decide` throws; else an OccError, whose `retryable` says whether nothing was changed
   */
  async transact<T>(keys: readonly string[], decide: Decide<T>, options: TransactOptions = {}): Promise<T> {
    const transaction = this.#create(keys, decide, options);
    this.#group.submit(transaction);
    return (await transaction.answer) as T;
  }

  /**
   * Like `transact`, but on a connection of its own and in no group: for transactions of many keys.
   * @throws as `transact`
   */
  async transactAlone<T>(keys: readonly string[], decide: Decide<T>, options: TransactOptions = {}): Promise<T> {
    const transaction = this.#create(keys, decide, options);
    const run = (transactions: readonly Transaction[]): void => void this.#committer.commit(transactions, run);
    run([transaction]);
    return (await transaction.answer) as T;
  }

  /**
   * Many large transactions, `concurrency` of them at a time, each by itself (`transactAlone`): a failure leaves whole
   * parts done and the rest undone.
   * @returns their results in order
   * @throws the error of the first part that failed, after those under way have ended
   */
  async batch<T>(parts: Iterable<BatchPart<T>>, options: TransactOptions & { readonly concurrency?: number } = {}): Promise<T[]> {
    const results: T[] = [];
    const errors: unknown[] = [];
    const queue = parts[Symbol.iterator]();
    let taken = 0;
    const work = async (): Promise<void> => {
      for (let next = queue.next(); !next.done && errors.length === 0; next = queue.next()) {
        const i = taken++;
        try {
          results[i] = await this.transactAlone(next.value.keys, next.value.decide, options);
        } catch (error) {
          errors.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? 2 }, work));
    if (errors.length > 0) throw errors[0];
    return results;
  }

  /**
   * The values of `keys` at one instant, null where there is none.
   * @throws OccError; a read changes nothing, so each is retryable
   */
  async read<T>(keys: readonly string[], options: TransactOptions = {}): Promise<(T | null)[]> {
    const images = await this.#reader.values(keys, options.timeout ?? this.#timeout);
    return images.map((image) => (image === null ? null : (JSON.parse(image) as T)));
  }

  /** The replies to commands that only read, at one instant, behind the same check as `read`. */
  query(commands: readonly Command[], options: TransactOptions = {}): Promise<Reply[]> {
    return this.#reader.query(commands, options.timeout ?? this.#timeout);
  }

  /** Closes every connection. Transactions that are under way end with an error. */
  close(): void {
    this.#pool.close();
  }

  #create<T>(keys: readonly string[], decide: Decide<T>, { meta, timeout = this.#timeout }: TransactOptions): Transaction {
    return new Transaction(keys, decide, meta, timeout);
  }
}

function validate(options: OccOptions): void {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw new TypeError(`unknown option ${name}`);
  }
  if (!/^(redis|rediss|unix):/.test(options.url)) throw new TypeError("url must begin with redis://, rediss:// or unix://");
  for (const name of ["connections", "maxAttempts", "timeout", "roundTripTimeout"] as const) {
    const value = options[name];
    if (value !== undefined && !(value > 0)) throw new TypeError(`${name} must be greater than 0`);
  }
}
