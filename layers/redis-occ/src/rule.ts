import type { Command } from "./command.ts";
import type { Fields } from "./fields.ts";
import type { AnyKeys, Json, KeyOf, ValueOf } from "./key-map.ts";

/** `view.get`: of a client without a map of its keys the type is named by hand, else the key tells it. */
type Get<Keys> = string extends keyof Keys
  ? <T = Json>(key: string) => T | null
  : <const Key extends KeyOf<Keys>>(key: Key) => ValueOf<Keys, Key> | null;

/** `view.fields`: of a client without a map of its keys the type is named by hand, else the key tells it. */
type FieldsOf<Keys> = string extends keyof Keys
  ? <T = Json>(key: string) => ReadonlyMap<string, T>
  : <const Key extends KeyOf<Keys>>(
      key: Key,
    ) => ReadonlyMap<string, ValueOf<Keys, Key> extends Fields<infer Value> ? Value : never>;

/**
 * What a rule may look at: the values of its keys, as the transactions before it left them. What was not declared is fetched
 * first, whatever its type: the transaction then runs once more, with it. All that was looked at is watched.
 *
 * @example
 * const rule: Decide<number | null> = (view) => {
 *   const cart = view.fields<number>("cart:1"); // ReadonlyMap<string, number>
 *   const best = view.sortedSet("board"); // ReadonlyMap<string, number>, lowest score first
 *   return { result: view.get<number>("seats") };
 * };
 */
export interface View<Keys = AnyKeys> {
  /**
   * The value of a key, decoded anew at each call, so that nobody shares it; null where there is none.
   * @throws WrongTypeError where the key holds no string; DecodeError where some other program wrote it
   */
  readonly get: Get<Keys>;
  /**
   * All fields of a hash, each decoded anew as `get` does; empty where there is none.
   * @throws WrongTypeError where the key holds something else; DecodeError where some other program wrote a field
   */
  readonly fields: FieldsOf<Keys>;
  /** The same as text, whoever wrote it. @throws WrongTypeError where the key holds something else */
  hash(key: string): ReadonlyMap<string, string>;
  /** All members of a sorted set with their scores, lowest first; empty where there is none. @throws WrongTypeError as `hash` */
  sortedSet(key: string): ReadonlyMap<string, number>;
  /** Declares further keys at once: where one of them was not read, the transaction runs once more, with all of them. */
  need(keys: Iterable<KeyOf<Keys>>): void;
}

/**
 * The new value of a key; null deletes it.
 *
 * @example
 * const change: Change = ["seats", 9];
 */
export type Change<Keys = AnyKeys> = string extends keyof Keys
  ? readonly [key: string, value: unknown]
  : { [Key in KeyOf<Keys>]: readonly [key: Key, value: ValueOf<Keys, Key> | null] }[KeyOf<Keys>];

/**
 * An object, or changes one by one, of which the last one of a key counts. Those cost less where keys hold ids: V8 makes
 * a hidden class of its own for each object whose keys are like no other's.
 *
 * @example
 * const changes: Changes = { seats: 9, "holder:9": null };
 */
export type Changes<Keys = AnyKeys> =
  | (string extends keyof Keys
      ? Readonly<Record<string, unknown>>
      : { readonly [Key in KeyOf<Keys>]?: ValueOf<Keys, Key> | null })
  | Iterable<Change<Keys>>;

/**
 * A value, and the milliseconds after which Redis deletes it; null for a value that stays.
 *
 * @example
 * const session: Expiring<Session> = { value: { user: "ann" }, ttl: 30 * 60_000 };
 */
export interface Expiring<Value> {
  readonly value: Value;
  readonly ttl: number | null;
}

/**
 * What a rule came to: the result for the caller, and what changes.
 *
 * @example
 * const decision: Decision<string> = {
 *   result: "booked",
 *   set: { seats: 9 },
 *   setWithTtl: { "hold:12": { value: "ann", ttl: 60_000 } },
 *   commands: [["zadd", "board", 120, "ann"], ["publish", "seats", "booked"]],
 * };
 */
export interface Decision<Result, Keys = AnyKeys> {
  readonly result: Result;
  /** New values; of a hash those of some `fields`. A key keeps the time that it has to live. */
  readonly set?: Changes<Keys> | undefined;
  /** New values that bring a time to live along, in milliseconds. */
  readonly setWithTtl?:
    Readonly<Record<string, Expiring<unknown>>> | Iterable<readonly [string, Expiring<unknown>]> | undefined;
  /**
   * Commands that run in the same MULTI, after what is set. Redis does not roll back: one that fails there, on a key of another
   * type, leaves the rest of the transaction done, and the caller gets a CommandFailedError.
   */
  readonly commands?: readonly Command[] | undefined;
}

/**
 * A rule: a pure function from what is there to what shall be. It may run several times before its decision counts,
 * so it must do nothing else. What it throws is the caller's, and its transaction changes nothing.
 *
 * @example
 * const book: Decide<number> = (view) => {
 *   const seats = view.get<number>("seats") ?? 10;
 *   if (seats === 0) throw new Error("sold out");
 *   return { result: seats - 1, set: { seats: seats - 1 } };
 * };
 */
export type Decide<Result, Keys = AnyKeys> = (view: View<Keys>) => Decision<Result, Keys>;

/**
 * Of one call.
 *
 * @example
 * await occ.transact(["seats"], book, { timeout: 500, signal: AbortSignal.any([request.signal, shutdown]) });
 */
export interface CallOptions {
  /** Milliseconds after which the caller gets an error whatever is going on. Default: the client's `timeout`. */
  readonly timeout?: number;
  /**
   * Ends the call early: with an AbortedError where nothing was changed, with an OutcomeUnknownError where EXEC was under way.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Of one transaction.
 *
 * @example
 * await occ.transact(["seats"], book, { meta: { op: "book" }, timeout: 500 });
 */
export interface TransactOptions extends CallOptions {
  /** For the hook. */
  readonly meta?: unknown;
}
