import { randomUUID } from "node:crypto";
import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import type { CommitHook, Premise, Probe } from "./hook.ts";
import type { Collection } from "./images.ts";
import type { Pool } from "./pool.ts";

/**
 * What one attempt at a time works with, from its read to its commit. The pool lends it. It keeps the promise "only if
 * that is still current", in the way of the commit mode.
 */
export interface Lane {
  readonly connection: Connection;
  readonly identity: Identity;
  readonly broken: boolean;
  /** True where it broke by itself. */
  readonly lost: boolean;
  /**
   * Begins an attempt: reads `keys`, and those of `collections` as what they are.
   * @param collections their keys are among `keys`
   */
  read(keys: readonly string[], probe: Probe, collections: readonly Collection[]): Promise<Reading>;
  /**
   * When keys end, in milliseconds since 1970; null for those that stay, or are not there. From here on this counts as read, and
   * nothing else of those keys does.
   */
  endsOf(keys: readonly string[]): Promise<(number | null)[]>;
  /**
   * Runs the commands at one instant if nothing that was read has changed and nobody has touched the lane's fence. The
   * errors are those of {@link Connection.transaction}.
   * @returns the replies, or null where something had changed: nothing was run then
   */
  commit(commands: readonly Command[], premise?: Premise): Promise<(Reply | Error)[] | null>;
  /** Ends an attempt that has nothing to commit. */
  abandon(): Promise<void>;
  /** Called after an attempt that failed: whatever it may have left on the connection must not meet the next one. */
  discard(): void;
  /** Runs `use` with a connection that nobody else uses meanwhile. */
  exclusively<T>(use: (connection: Connection) => Promise<T>): Promise<T>;
  close(): void;
}

/** What an attempt has read. Not at one instant, but a commit comes about only where it still is as one. */
export interface Reading {
  /** Of each key; null where there is none, and where there is no string. */
  readonly values: readonly (string | null)[];
  /** What the keys hold that hold something else than a string; undefined where none does, and in a dedicated database. */
  readonly otherTypes: ReadonlyMap<string, string> | undefined;
  /** Of each collection: what Redis answered, also that the key is of another type. */
  readonly collections: readonly (Reply | Error)[];
  /** The values of the probe's keys, and then the replies to its commands. */
  readonly replies: readonly Reply[];
}

/** Opens the lanes of a pool. */
export type OpenLane = () => Promise<Lane>;

/**
 * The keys by which the outcome of a lost EXEC is found out. Every commit of the lane writes `marker`. `fence` is one
 * of the keys that have to be as they were; whoever asks touches it, so that an EXEC still queued in the server can no
 * longer run.
 */
export class Identity {
  readonly marker: string;
  readonly fence: string;
  #stamp = 0;

  constructor() {
    const id = randomUUID();
    this.marker = `occ:marker:${id}`;
    this.fence = `occ:fence:${id}`;
  }

  /** A number that no other commit of the lane has had. */
  nextStamp(): string {
    return String(++this.#stamp);
  }
}

/** Asks for the keys of a probe and for `keys`, at one instant. No command may be empty, so a read of nothing sends another one. */
export function valuesBeside({ keys: beside = [] }: Probe, keys: readonly string[]): Command {
  const asked = [...beside, ...keys];
  return asked.length > 0 ? ["mget", ...asked] : ["echo", ""];
}

/** The reply to `valuesBeside`: the values of the probe's keys, and those of `keys`. */
export function parted(
  reply: Reply | Error | undefined,
  { keys: beside = [] }: Probe,
): readonly [probed: (string | null)[], values: (string | null)[]] {
  // That of a read of nothing is no list.
  const found = Array.isArray(reply) ? (reply as (string | null)[]) : [];
  return [found.slice(0, beside.length), found.slice(beside.length)];
}

/** Asks how many of the keys there are; nothing where that need not be known. */
export function countOf(keys: readonly string[], dedicated: boolean): Command[] {
  return dedicated || keys.length === 0 ? [] : [["exists", ...keys]];
}

/**
 * What those keys hold that are there and have no string: the difference between how many there are and how many have one says
 * whether to ask. One more round trip only where there are such keys.
 * @param existing how many of `keys` there are; undefined in a dedicated database
 * @param collections those that were asked for as what they are, with what was answered
 */
export async function otherTypes(
  connection: Connection,
  keys: readonly string[],
  values: readonly (string | null)[],
  existing: number | undefined,
  collections: readonly (readonly [Collection, Reply | Error])[] = [],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (existing === undefined) return undefined;
  const types = new Map<string, string>();
  for (const [{ key, kind }, content] of collections) {
    if (Array.isArray(content) && content.length > 0) types.set(key, kind === "hash" ? "hash" : "zset");
  }
  const strings = values.reduce((count, value) => (value === null ? count : count + 1), 0);
  if (existing !== strings + types.size) {
    const unclear = keys.filter((key, i) => values[i] === null && !types.has(key));
    for (const [key, type] of await typesOf(connection, unclear)) types.set(key, type);
  }
  return types.size > 0 ? types : undefined;
}

/** What PEXPIRETIME says: negative where there is no key, or none that ends. */
export function toEnds(replies: readonly (Reply | Error)[]): (number | null)[] {
  return replies.map((reply) => (typeof reply === "number" && reply >= 0 ? reply : null));
}

/** What those of the keys hold that hold something else than a string. */
export async function typesOf(connection: Connection, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const replies = await connection.pipeline(keys.map((key) => ["type", key] as const));
  keys.forEach((key, i) => {
    const type = String(replies[i]);
    if (type !== "none" && type !== "string") found.set(key, type);
  });
  return found;
}

/** Called after a restore: closes what leads to another server than the one with the state. */
export function closeThoseElsewhere(pool: Pool<Lane>, hook: CommitHook): void {
  pool.closeWhere(({ connection }) => hook.leadsElsewhere?.(connection) ?? false);
}
