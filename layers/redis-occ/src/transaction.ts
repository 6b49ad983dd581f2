import type { TransactionMessage } from "./diagnostics.ts";
import { OutcomeUnknownError, TimeoutError, type OccError } from "./errors.ts";
import type { CommitHook, Write } from "./hook.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** What a rule may look at: the values of its keys, as the transactions before it left them. */
export interface View {
  /**
   * The value of a key, parsed anew at each call, so that nobody shares it; null where there is none. If the key was
   * not declared, it is fetched, and the transaction runs once more with it.
   */
  get<T = Json>(key: string): T | null;
  /** Declares further keys at once. If one of them was not read, the transaction runs once more with all of them. */
  need(keys: Iterable<string>): void;
}

/** The new value of a key; null deletes it. */
export type Change = readonly [key: string, value: unknown];

/**
 * An object, or changes one by one, of which the last for each key counts. Single changes cost less where keys hold
 * ids: V8 makes a hidden class of its own for each object whose keys are like no other's.
 */
export type Changes = Readonly<Record<string, unknown>> | Iterable<Change>;

/** What a rule decided: the result for the caller, and what changes. */
export interface Decision<T> {
  readonly result: T;
  readonly set?: Changes;
}

/**
 * A rule: a pure function from what is there to what is to be. It may run several times before its decision counts, so
 * it must do nothing else. If it throws, the caller gets the error and the transaction changes nothing.
 */
export type Decide<T> = (view: View) => Decision<T>;

export interface TransactOptions {
  /** For the hook. */
  readonly meta?: unknown;
  /** Milliseconds after which the caller gets an error whatever is going on. Default: the client's `timeout`. */
  readonly timeout?: number;
}

/** What is left to answer once the group's EXEC and its hook are through. */
type Verdict = { readonly result: unknown } | { readonly error: unknown };

/** One transaction on its way: waiting → sent (its EXEC may have run) → answered. */
export class Transaction {
  readonly keys: Set<string>;
  readonly meta: unknown;
  readonly answer: Promise<unknown>;
  /** Attempts that failed, for whatever reason. The pauses grow with them. */
  attempts = 0;
  /** Attempts in which another client had changed a key. */
  conflicts = 0;
  /** What was told of it, where somebody listens. */
  message: TransactionMessage | undefined;
  /** Why its latest attempt could not even be made; becomes the cause of a timeout. */
  lastProblem: Error | undefined;
  #sent = false;
  #answered = false;
  #verdict: Verdict | undefined;
  readonly #decide: Decide<unknown>;
  readonly #timer: NodeJS.Timeout;
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(keys: Iterable<string>, decide: Decide<unknown>, meta: unknown, timeout: number) {
    this.keys = new Set(keys);
    for (const key of this.keys) assertText(key);
    this.meta = meta;
    this.#decide = decide;
    const { promise, resolve, reject } = deferred();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#expire(timeout), timeout);
  }

  /** True once its caller has an answer, so that it must not run (again). */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Runs the rule on `images`.
   * @param hook gives what stands for its `meta` in what it writes
   * @returns what it writes; null where it refused and so writes nothing; "more" where it asked for keys that were not read
   */
  decide(images: ReadonlyMap<string, string | null>, hook: Pick<CommitHook, "prepare">): Write | null | "more" {
    const missing: string[] = [];
    const need = (keys: Iterable<string>): void => {
      for (const key of keys) {
        assertText(key);
        if (!images.has(key) || !this.keys.has(key)) missing.push(key);
      }
      if (missing.length > 0) throw new UndeclaredKeys(missing);
    };
    const view: View = {
      need,
      get: <T>(key: string): T | null => {
        need([key]);
        const image = images.get(key);
        return image === undefined || image === null ? null : (JSON.parse(image) as T);
      },
    };
    let written = new Map<string, string | null>();
    let meta: unknown;
    try {
      const decision: unknown = this.#decide(view);
      if (decision instanceof Promise) {
        decision.catch(() => undefined);
        throw new TypeError("a rule must not be asynchronous");
      }
      const { result, set = {} } = decision as Decision<unknown>;
      for (const [key, value] of isIterable(set) ? set : Object.entries(set)) written.set(key, toImage(key, value));
      if (written.size > 0) meta = hook.prepare(written, this.meta);
      this.#verdict = { result };
    } catch (error) {
      this.#verdict = { error };
      written = new Map();
    }
    if (missing.length > 0) {
      for (const key of missing) this.keys.add(key);
      return "more";
    }
    return written.size > 0 ? { images: written, meta } : null;
  }

  /** Its EXEC leaves now, so from here on a timeout no longer means that nothing was changed. */
  markSent(): void {
    this.#sent = true;
  }

  /** Its EXEC turned out not to have run and not to run later, so it may go again. */
  markUnsent(): void {
    this.#sent = false;
  }

  /** Gives the caller what the rule decided. */
  conclude(): void {
    const verdict = this.#verdict;
    if (verdict === undefined) this.fail(new Error("a transaction was concluded before it was decided"));
    else if ("error" in verdict) this.fail(verdict.error);
    else if (this.#finish()) this.#resolve(verdict.result);
  }

  fail(error: unknown): void {
    if (this.#finish()) this.#reject(error);
  }

  #expire(timeout: number): void {
    const error: OccError = this.#sent
      ? new OutcomeUnknownError(`no word of the transaction's outcome within ${timeout} ms`)
      : new TimeoutError(`the transaction could not start within ${timeout} ms`, { cause: this.lastProblem });
    this.fail(error);
  }

  #finish(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    clearTimeout(this.#timer);
    return true;
  }
}

/** Ends a rule that asked for keys which were not read; never seen outside. */
class UndeclaredKeys extends Error {
  constructor(keys: readonly string[]) {
    super(`keys that were not declared: ${keys.join()}`);
  }
}

function isIterable(set: Changes): set is Iterable<Change> {
  return Symbol.iterator in set;
}

/** What is not well-formed has no UTF-8: Redis would take each for the same other key. @throws TypeError */
export function assertText(key: string): void {
  if (!key.isWellFormed()) throw new TypeError(`the key ${JSON.stringify(key)} is not well-formed text`);
}

function toImage(key: string, value: unknown): string | null {
  assertText(key);
  if (value === null) return null;
  const image = JSON.stringify(value) as string | undefined;
  // NaN and Infinity become null, which a later read would take to mean that the key is not there.
  if (image === undefined || image === "null") throw new TypeError(`the new value of ${key} has no JSON form`);
  return image;
}

function deferred(): {
  promise: Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: unknown) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise((ok, failed) => {
    resolve = ok;
    reject = failed;
  });
  return { promise, resolve, reject };
}
