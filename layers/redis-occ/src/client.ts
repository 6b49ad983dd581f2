import { JSON_CODEC, type Codec } from "./codec.ts";
import { assertReadOnly, type Command } from "./command.ts";
import { transactionChannel, type TransactionMessage } from "./diagnostics.ts";
import { Committer } from "./committer.ts";
import { checkSource, Connection, type ConnectionSource, type Reply } from "./connection.ts";
import { ClosedError, TimeoutError } from "./errors.ts";
import { GroupCommit } from "./group.ts";
import { checkHook, noHook, type CommitHook } from "./hook.ts";
import type { AnyKeys, KeyOf, ValuesOf } from "./key-map.ts";
import type { Lane, OpenLane } from "./lane.ts";
import { markerOf, ONCE_TTL, onceOnly } from "./once.ts";
import { checkCount, checkDuration, checkFunction, checkKeys, checkNames, checkSignal } from "./options.ts";
import { Pool } from "./pool.ts";
import { Reader } from "./reader.ts";
import type { CallOptions, Decide, TransactOptions } from "./rule.ts";
import { ScriptLane } from "./script-lane.ts";
import { decode, Transaction } from "./transaction.ts";
import { WatchLane } from "./watch-lane.ts";

/**
 * How to reach Redis: exactly one of `url`, `redis` and `connect`; all else has a default.
 *
 * @example
 * const options: OccOptions = { url: "redis://127.0.0.1:6379", commit: "script", timeout: 2_000 };
 */
export type OccOptions = ConnectionSource & OccSettings;

/**
 * All but where Redis is.
 *
 * @example
 * const settings: OccSettings = { timeout: 2_000, maxAttempts: 20, connections: 4 };
 * const client = new Occ({ url, ...settings });
 */
export interface OccSettings {
  /** Takes part in every transaction and read. */
  readonly hook?: CommitHook;
  /**
   * How "only if nothing has changed" is kept: by WATCH … EXEC, or by one Lua script that compares what was read and
   * then writes. The promises are the same. Default "watch".
   */
  readonly commit?: CommitMode;
  /** How values become text. Default: JSON, of nothing that JSON would change in silence. */
  readonly codec?: Codec;
  /**
   * The database holds nothing but what `set` has put there: strings, without a time to live. Saves the looks for anything else,
   * which a `set` then overwrites. Default false.
   */
  readonly dedicated?: boolean;
  /** Attempts and reads at the same time at most: connections of their own with "watch", one that they share with "script". Default 8. */
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

/** See `commit` of {@link OccOptions}. */
export type CommitMode = "watch" | "script";

/**
 * One transaction of a batch.
 *
 * @example
 * const part: BatchPart<null> = { keys: [], decide: () => ({ result: null, set: { "seat:1": "free" } }) };
 */
export interface BatchPart<Result, Keys = AnyKeys> {
  readonly keys: readonly KeyOf<Keys>[];
  readonly decide: Decide<Result, Keys>;
}

const KNOWN: ReadonlySet<string> = new Set<keyof OccOptions>([
  "url",
  "redis",
  "connect",
  "hook",
  "commit",
  "codec",
  "dedicated",
  "connections",
  "maxAttempts",
  "timeout",
  "roundTripTimeout",
  "random",
  "name",
]);
const OF_CALL: ReadonlySet<string> = new Set(["timeout", "signal"]);
const OF_TRANSACT: ReadonlySet<string> = new Set([...OF_CALL, "meta"]);
const NONE: ReadonlySet<string> = new Set();

/**
 * Optimistic transactions on one Redis. Connections are opened when they are needed; idle ones do not keep a process alive.
 *
 * @example
 * await using occ = new Occ<{ seats: number }>({ url: "redis://127.0.0.1:6379" });
 * const left = await occ.transact(["seats"], (view) => {
 *   const seats = view.get("seats") ?? 10;
 *   if (seats === 0) throw new Error("sold out");
 *   return { result: seats - 1, set: { seats: seats - 1 } };
 * });
 */
export class Occ<Keys = AnyKeys> {
  readonly #pool: Pool<Lane>;
  readonly #committer: Committer;
  readonly #group: GroupCommit;
  readonly #reader: Reader;
  readonly #timeout: number;
  readonly #codec: Codec;
  readonly #name: string | undefined;
  /** Calls that have no answer yet. */
  #open = 0;
  #closing = false;
  /** Told once there are none, where `close` waits for that. */
  #drained: (() => void)[] = [];

  /** @throws TypeError for an option that does not exist or makes no sense */
  constructor(options: OccOptions) {
    validate(options);
    const {
      hook = noHook,
      commit = "watch",
      codec = JSON_CODEC,
      dedicated = false,
      connections = 8,
      maxAttempts = 100,
      timeout = 10_000,
      roundTripTimeout = 2_000,
      random = Math.random,
      name,
      ...source
    } = options;
    this.#timeout = timeout;
    this.#codec = codec;
    this.#name = name;
    this.#pool = new Pool(
      laneOpener(commit, dedicated, () => Connection.open({ ...source, roundTripTimeout })),
      connections,
    );
    this.#committer = new Committer({ pool: this.#pool, hook, dedicated, maxAttempts, random, name });
    this.#group = new GroupCommit(this.#committer, hook);
    this.#reader = new Reader({ pool: this.#pool, hook, dedicated, random });
  }

  /**
   * Reads `keys`, lets `decide` choose, and writes what it chose if no other client has changed what was read.
   * Otherwise it does all of that again. Transactions that wait at the same time are committed together; each succeeds
   * or refuses by itself.
   *
   * @returns the decision's result
   * @throws what `decide` throws; TypeError for a call that makes no sense; else an OccError, whose `unchanged` says whether
   *   nothing was changed, and whose `transient` whether the same call may succeed later
   */
  async transact<Result>(
    keys: readonly KeyOf<Keys>[],
    decide: Decide<Result, Keys>,
    options: TransactOptions = {},
  ): Promise<Result> {
    const transaction = this.#create(keys, decide, options);
    return (await this.#told(transaction, () => {
      this.#group.submit(transaction);
      return this.#underWay(transaction.answer);
    })) as Result;
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
  async transactAlone<Result>(
    keys: readonly KeyOf<Keys>[],
    decide: Decide<Result, Keys>,
    options: TransactOptions = {},
  ): Promise<Result> {
    const transaction = this.#create(keys, decide, options);
    const run = (transactions: readonly Transaction[]): void => void this.#committer.commit(transactions, run);
    return (await this.#told(transaction, () => {
      run([transaction]);
      return this.#underWay(transaction.answer);
    })) as Result;
  }

  /**
   * A transaction that takes effect once: the result of the first one with this id is kept for `ttl` milliseconds, in the same
   * MULTI as its effect, and who comes with the same id later gets it. So it may be repeated after an OutcomeUnknownError.
   * A rule that throws has done nothing, and leaves nothing behind.
   *
   * @example
   * const receipt = await occ.once(request.id, ["account:ann"], pay(20), { ttl: 24 * 3_600_000 });
   *
   * @param id the caller's name for what shall be done once: a request's id, an Idempotency-Key. Kept under `once:ID`
   * @param options `ttl`: how long the result is kept; default a day, null for ever
   * @throws as `transact`; TypeError where the result has no JSON form
   */
  async once<Result>(
    id: string,
    keys: readonly KeyOf<Keys>[],
    decide: Decide<Result, Keys>,
    { ttl = ONCE_TTL, ...options }: TransactOptions & { readonly ttl?: number | null } = {},
  ): Promise<Result> {
    if (typeof id !== "string" || id === "") throw new TypeError("id must be a text that is not empty");
    checkKeys(keys);
    checkFunction("decide", decide);
    const marker = markerOf(id);
    const transaction = this.#create([marker, ...keys], onceOnly(marker, decide as Decide<Result>, ttl), options);
    return (await this.#told(transaction, () => {
      this.#group.submit(transaction);
      return this.#underWay(transaction.answer);
    })) as Result;
  }

  /**
   * Many large transactions, `concurrency` of them at a time, each by itself (`transactAlone`): a failure leaves whole
   * parts done and the rest undone.
   * @param options `timeout`: of the whole batch. A part gets what is left of it, and none begins once it is over
   * @returns their results in order
   * @throws the error of the first part that failed, after those under way have ended, or the TimeoutError of the one that
   *   had no time left; TypeError for a `concurrency` that is no whole number from 1
   */
  async batch<Result>(
    parts: Iterable<BatchPart<Result, Keys>>,
    { concurrency = 2, ...options }: TransactOptions & { readonly concurrency?: number } = {},
  ): Promise<Result[]> {
    checkNames("options", options, OF_TRANSACT);
    checkCount("concurrency", concurrency);
    const { timeout = this.#timeout } = options;
    checkDuration("timeout", timeout);
    const end = performance.now() + timeout;
    const results: Result[] = [];
    const errors: unknown[] = [];
    const queue = parts[Symbol.iterator]();
    let taken = 0;
    const work = async (): Promise<void> => {
      try {
        while (errors.length === 0) {
          const next = queue.next();
          if (next.done === true) return;
          const i = taken++;
          const left = Math.ceil(end - performance.now());
          if (left <= 0) throw new TimeoutError(`the batch did not end within ${timeout} ms`);
          results[i] = await this.transactAlone(next.value.keys, next.value.decide, { ...options, timeout: left });
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
   *
   * @example
   * const [seats, holder] = await occ.read(["seats", "holder:9"]); // number | null, string | null, of a client with a key map
   * const [a, b] = await plain.read<[number, string]>(["a", "b"]); // the types named by hand, one for each key
   *
   * @throws OccError; a read changes nothing, so `unchanged` is true of each. WrongTypeError where a key holds no string,
   *   DecodeError where some other program wrote it
   */
  async read<Values extends readonly [unknown, ...unknown[]]>(
    keys: { readonly [I in keyof Values]: string extends keyof Keys ? string : never },
    options?: CallOptions,
  ): Promise<{ -readonly [I in keyof Values]: Values[I] | null }>;
  async read<const List extends readonly KeyOf<Keys>[]>(
    keys: List & (string extends keyof Keys ? never : unknown),
    options?: CallOptions,
  ): Promise<ValuesOf<Keys, List>>;
  async read<Value>(keys: readonly KeyOf<Keys>[], options?: CallOptions): Promise<(Value | null)[]>;
  async read(keys: readonly string[], options: CallOptions = {}): Promise<unknown> {
    checkKeys(keys);
    const limits = this.#limits(options, OF_CALL);
    const images = await this.#underWay(this.#reader.values(keys, limits));
    return images.map((image, i) => (image === null ? null : decode(this.#codec, keys[i] ?? "", image)));
  }

  /**
   * The replies to commands that only read, at one instant, behind the same check as `read`. As they stand in the reply of
   * EXEC: what ioredis makes of some (an object of HGETALL's) it does not make there.
   *
   * @example
   * const [top] = await occ.query([["zrange", "board", 0, 9, "REV", "WITHSCORES"]]);
   *
   * @throws TypeError for a command that writes; OccError as `read`
   */
  async query(commands: readonly Command[], options: CallOptions = {}): Promise<Reply[]> {
    for (const command of commands) assertReadOnly(command);
    return this.#underWay(this.#reader.query(commands, this.#limits(options, OF_CALL)));
  }

  /**
   * Closes every connection. Calls that have yet to send their EXEC end with a ClosedError, those that wait for
   * its answer with an OutcomeUnknownError; those whose EXEC ran get the answer that the hook lets them have.
   *
   * With `drain`, calls that were made before go on to their answers, or to their timeouts, and the connections are closed after
   * that; whoever comes later gets a ClosedError at once. `await using` does it so.
   */
  async close({ drain = false, ...others }: { readonly drain?: boolean } = {}): Promise<void> {
    checkNames("options", others, NONE);
    this.#closing = true;
    if (drain && this.#open > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ drain: true });
  }

  #create(keys: readonly string[], decide: unknown, options: TransactOptions): Transaction {
    checkKeys(keys);
    checkFunction("decide", decide);
    const limits = this.#limits(options, OF_TRANSACT);
    return new Transaction({
      keys,
      decide: decide as Decide<unknown>,
      meta: options.meta,
      codec: this.#codec,
      ...limits,
    });
  }

  #limits(options: CallOptions, known: ReadonlySet<string>): { timeout: number; signal: AbortSignal | undefined } {
    checkNames("options", options, known);
    const { timeout = this.#timeout, signal } = options;
    checkDuration("timeout", timeout);
    if (signal !== undefined) checkSignal(signal);
    if (this.#closing) throw new ClosedError();
    return { timeout, signal };
  }

  /** What `close` with `drain` waits for. */
  async #underWay<T>(answer: Promise<T>): Promise<T> {
    this.#open++;
    try {
      return await answer;
    } finally {
      if (--this.#open === 0) for (const tell of this.#drained.splice(0)) tell();
    }
  }
}

function laneOpener(commit: CommitMode, dedicated: boolean, open: () => Promise<Connection>): OpenLane {
  return commit === "script" ? ScriptLane.sharing(open, dedicated) : async () => new WatchLane(await open(), dedicated);
}

function validate(options: OccOptions): void {
  checkNames("options", options, KNOWN);
  checkSource(options);
  const { commit = "watch", codec = JSON_CODEC, dedicated = false, random = Math.random, hook } = options;
  if (!["watch", "script"].includes(commit)) throw new TypeError('commit must be "watch" or "script"');
  const untyped = codec as unknown as Readonly<Record<string, unknown>> | null;
  for (const name of ["encode", "decode"]) checkFunction(`codec.${name}`, untyped?.[name]);
  if (typeof dedicated !== "boolean") throw new TypeError("dedicated must be true or false");
  checkFunction("random", random);
  if (hook !== undefined) checkHook(hook);
  for (const name of ["connections", "maxAttempts"] as const) checkCount(name, options[name] ?? 1);
  for (const name of ["timeout", "roundTripTimeout"] as const) checkDuration(name, options[name] ?? 1);
}
