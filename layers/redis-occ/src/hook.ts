import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import { checkFunction } from "./options.ts";

/** What one transaction writes: the new image of each key as JSON text, null where it deletes the key. */
export interface Write {
  readonly images: ReadonlyMap<string, string | null>;
  /** What the caller handed along with the transaction (an operation's name, a trace id), as `prepare` made it. */
  readonly meta: unknown;
  /** What it does besides; absent where nothing. */
  readonly beyond?: Beyond;
  /**
   * When keys among the images and hashes end, in milliseconds since 1970; those that are not in it stay. Known where the hook asks for it
   * (`endsFrom`), and then the same to Redis.
   */
  readonly ends?: ReadonlyMap<string, number>;
}

/** What a transaction does besides setting and deleting keys. */
export interface Beyond {
  /** Milliseconds that keys among the images and hashes have to live from now on; null for keys that stay. Others keep what they have. */
  readonly ttls: ReadonlyMap<string, number | null>;
  /**
   * Hashes of which fields change, after all images are set: one whose image is null is deleted before. Absent where there are
   * none.
   */
  readonly hashes?: ReadonlyMap<string, HashChange>;
  /** Run after all else. */
  readonly commands: readonly Command[];
}

/**
 * What becomes of a hash. One that loses its last field is deleted, and is among the images.
 *
 * @example
 * const refuseLarge: CommitHook["prepare"] = (_images, meta, beyond) => {
 *   for (const [key, { after }] of beyond?.hashes ?? [])
 *     if (after.size > 1_000) throw new TypeError(`${key} has too many fields`);
 *   return meta;
 * };
 */
export interface HashChange {
  /** The new text of each field that changes, null of one that is removed. */
  readonly changed: ReadonlyMap<string, string | null>;
  /** All fields that it has then. */
  readonly after: ReadonlyMap<string, string>;
  /** Whether it begins with this transaction. */
  readonly isNew: boolean;
}

/** What a hook asks the server along with each read of `watch`. It may carry what the hook needs to judge the replies. */
export interface Probe {
  /** Fetched at the same instant as `watch`, and watched by nobody. Default: none. */
  readonly keys?: readonly string[];
  readonly commands: readonly Command[];
}

/**
 * What must still be true of the data as a whole when an attempt commits, besides that nothing that was read has
 * changed. WATCH notices by itself when all data are replaced; a script compares this.
 */
export interface Premise {
  /** `master_replid`: names the history of the server's data. */
  readonly history: string;
  /** A key that holds a whole number, and the least that it may hold. */
  readonly counter: { readonly key: string; readonly least: number };
}

/**
 * How another layer takes part in every transaction and read, without either knowing the other's insides:
 * it watches keys of its own, refuses to go on while they are not as they should be, adds commands to the
 * MULTI, and holds the answers back until it is content with what the commands replied.
 *
 * `Session` is whatever `check` makes of the watched values; it is handed back to the later calls of the same attempt.
 *
 * @example
 * const whileOpen: CommitHook<true> = {
 *   watch: ["closed"], // nothing commits while this key is there
 *   check: ([closed]) => (closed === null ? true : null),
 *   restore: () => setTimeout(100),
 *   prepare: (_images, meta) => meta,
 *   stage: (_session, writes) => [["incrby", "written", writes.length]],
 *   executed: async () => {},
 *   idle: async () => {},
 *   readCommands: () => [],
 *   observed: async () => {},
 *   recall: async (_session, _writes, ran) => ran === "ran",
 *   halfDone: async () => true,
 * };
 * const client = new Occ({ url, hook: whileOpen });
 */
export interface CommitHook<Session = unknown> {
  /** Keys that each transaction watches and each transaction and read fetches, besides its own. */
  readonly watch: readonly string[];

  /**
   * Made for each attempt and each read right before it is sent. The replies to its commands are of the same instant as the
   * values of `watch`, or later; if they are later, a value that has changed in between fails the attempt. Default: nothing.
   */
  probe?(): Probe;

  /**
   * Judges the values of `watch`, in the order of `watch`.
   * @param replies the values of the probe's keys, and then the replies to its commands
   * @returns a session to go on with, or null: then `restore` runs and the attempt starts over
   * @throws ConnectionLostError (`Connection.lose`) where the server is not one to work with: another connection is opened
   */
  check(
    values: readonly (string | null)[],
    connection: Connection,
    replies: readonly Reply[],
    probe: Probe,
  ): Session | null | Promise<Session | null>;

  /** Asked for right before a commit is sent. Default: nothing. */
  premise?(session: Session): Premise;

  /**
   * Whether a connection leads to another server than the one on which `restore` has found or made the state; it is
   * then closed. Default: none does.
   */
  leadsElsewhere?(connection: Connection): boolean;

  /**
   * Brings about what `check` found missing. It may take long; callers that cannot wait leave by their own timeout.
   * Groups, large transactions and reads each call it for themselves, also at the same time.
   */
  restore(): Promise<void>;

  /**
   * Looks at what one transaction is about to write. What it throws is the error of that one, which drops out of its group alone.
   * @param beyond what it does besides. A hook that has no use for that has to refuse it
   * @returns what the later calls find as its `meta`
   */
  prepare(images: Write["images"], meta: unknown, beyond?: Beyond): unknown;

  /**
   * Where the hook wants to know when each key that is set ends: the time by its clock, from which times to live count. Asked for
   * right before `stage`, and once before that. Default: it does not; Redis counts, and keeps what keys have.
   * @returns milliseconds since 1970
   */
  endsFrom?(session: Session): number | undefined;

  /**
   * Notes in the session what the group writes, and returns the commands that go into its MULTI after the writes. It is
   * called once for each attempt, with no writes if every rule of the group has refused. In script mode none of the
   * commands may be a script.
   */
  stage(session: Session, writes: readonly Write[]): readonly Command[];

  /**
   * Called synchronously for each EXEC that ran, in the order in which the replies came, with the replies to what was
   * staged. All results of the group wait for the promise, refusals too.
   * @throws RolledBackError if the group's effect is undone for good: the group then starts over. For anything else the
   *   callers get an OutcomeUnknownError
   */
  executed(session: Session, writes: readonly Write[], replies: readonly Reply[]): Promise<void>;

  /**
   * Resolves as soon as the hook has time for another group. A group that is not full waits for that before it begins,
   * and whoever comes meanwhile joins it: fewer and larger groups cost less, and one that started earlier would only
   * queue in the hook. Everybody waits behind it, so it must not take long, whatever has become of earlier groups.
   */
  idle(): Promise<void>;

  /** Commands for the MULTI of a read, before `check` has seen the watched values. */
  readCommands(): readonly Command[];

  /**
   * The read's result waits for the promise. @throws RolledBackError if what was read is undone: it is then read again
   */
  observed(session: Session, keys: readonly string[], replies: readonly Reply[]): Promise<void>;

  /**
   * The answer of EXEC is lost, and `executed` is not called for it. Either EXEC has run ("ran": the marker says so,
   * and the watched values are as they were), or nobody can say ("unknown": the server was restarted or the watched
   * values were replaced) except that it will not run any more. This is not called if the marker says that EXEC did not
   * run.
   * @returns true where the writes stand (as firmly as after `executed`), false where nothing was changed
   * @throws ConnectionLostError to be asked again; for anything else the callers get an OutcomeUnknownError
   */
  recall(session: Session, writes: readonly Write[], ran: "ran" | "unknown"): Promise<boolean>;

  /**
   * Puts right half a transaction in Redis: an error was among the replies of EXEC, which does not roll back. It is
   * called instead of `executed`, and nobody else uses `connection` until its promise has ended, well or not.
   * @returns true where the writes stand, false where they were undone
   * @throws anything where neither is certain: the callers get an OutcomeUnknownError
   */
  halfDone(session: Session, writes: readonly Write[], connection: Connection): Promise<boolean>;
}

/** All that a hook must be able to do. */
const METHODS = [
  "check",
  "restore",
  "prepare",
  "stage",
  "executed",
  "idle",
  "readCommands",
  "observed",
  "recall",
  "halfDone",
] as const satisfies readonly (keyof CommitHook)[];

/** @throws TypeError for a hook that lacks something: it would be missed in the middle of a commit */
export function checkHook(hook: unknown): void {
  const candidate = hook as Partial<CommitHook> | null;
  if (typeof candidate !== "object" || !Array.isArray(candidate?.watch))
    throw new TypeError("hook.watch must be an array of keys");
  for (const name of METHODS) checkFunction(`hook.${name}`, candidate[name]);
}

/**
 * A hook's word that the effect of a transaction, or what a read saw, was undone for good: start over.
 *
 * @example
 * const executed: CommitHook["executed"] = () => Promise.reject(new RolledBackError("another process has undone it"));
 */
export class RolledBackError extends Error {
  override readonly name = "RolledBackError";
}

/** The probe of a hook that asks nothing. */
export const NO_PROBE: Probe = { commands: [] };

/** The hook of a client that stands alone. */
export const noHook: CommitHook<true> = {
  watch: [],
  check: () => true,
  restore: () => Promise.resolve(),
  prepare: (_images, meta) => meta,
  stage: () => [],
  executed: () => Promise.resolve(),
  idle: () => Promise.resolve(),
  readCommands: () => [],
  observed: () => Promise.resolve(),
  recall: (_session, _writes, ran) =>
    ran === "ran" ? Promise.resolve(true) : Promise.reject(new Error("the server was restarted")),
  halfDone: () => Promise.reject(new Error("EXEC does not roll back")),
};
