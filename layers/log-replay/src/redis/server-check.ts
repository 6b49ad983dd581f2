import { AccessError, ServerRefusedError, type Command, type CommitMode, type Connection } from "redis-occ";
import { ServerUnfitError } from "../errors.ts";
import { formatOf, WITH_ENDS, type Permits } from "../format/version.ts";
import { replicaOf } from "./dataset.ts";
import { LOCK, TAIL } from "./keys.ts";

const OLDEST_VERSION = 7;

/** What is asked of a store here: how large its newest snapshot is, in bytes, and the formats of its epochs. */
interface Sized {
  snapshot(): Promise<{ readonly bytes: number } | null>;
  begins(): Promise<ReadonlyMap<number, { readonly format?: number }>>;
}

/** How the state is to be used. */
export interface Use extends Permits {
  /** Default "watch". */
  readonly commit?: CommitMode;
}

/**
 * Bytes of Redis's memory for one byte of a snapshot, at the least. Measured on Redis 7.0: a key with a value of one digit, the
 * smallest there is, takes 64 bytes there and 100 in the snapshot; all others take more than they have there.
 */
const MEMORY_FOR_A_BYTE = 0.6;

/**
 * Whether this Redis can carry the state of a log: version, role, policy, permissions. Asked before anything is
 * claimed, because a claim lasts; and once by each process that comes upon an epoch. Two round trips, none of a request.
 * @throws ServerUnfitError, AccessError where only somebody can help; ReplicaError where a failover can, too
 */
export async function assertFit(connection: Connection, use: Use = {}): Promise<void> {
  assertKind(await infoOf(connection));
  await assertPermitted(connection, probes(use));
}

/**
 * Whether the state has room in its memory. Asked by who restores, before the claim.
 * @throws ServerUnfitError
 */
export async function assertRoom(connection: Connection, store: Sized): Promise<void> {
  const info = await infoOf(connection);
  const memory = Number(info.get("maxmemory") ?? 0);
  if (memory > 0) await assertMemory(memory, Number(info.get("used_memory_startup") ?? 0), store);
}

/** As `assertFit`, on a connection of its own: one that somebody works with may WATCH. */
export async function askWhetherFit(open: () => Promise<Connection>, use: Use): Promise<void> {
  const connection = await open();
  try {
    await assertFit(connection, use);
  } finally {
    connection.close();
  }
}

/** Without naming sections: servers before 7.0 take one at most, and this is who has to tell. */
async function infoOf(connection: Connection): Promise<Info> {
  const [text] = await connection.pipeline([["info"]]);
  return new Map([...String(text).matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name ?? "", value ?? ""]));
}

type Info = ReadonlyMap<string, string>;

function assertKind(info: Info): void {
  const version = info.get("redis_version") ?? "unknown";
  if (!(Number.parseInt(version) >= OLDEST_VERSION))
    throw new ServerUnfitError("redis_version", `this is Redis ${version}, and ${OLDEST_VERSION} or newer is needed`);
  if (info.get("role") === "slave")
    throw replicaOf(info.get("master_host") ?? "another", info.get("master_port") ?? "");
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy !== "noeviction")
    throw new ServerUnfitError(
      "redis_policy",
      `maxmemory-policy is ${policy}, by which Redis throws state away: CONFIG SET maxmemory-policy noeviction, and put it into its configuration`,
    );
}

/**
 * The database is wiped before a restore: what it holds now does not count. How many of the keys of a snapshot have ended nobody
 * knows. @param limit, empty bytes
 */
async function assertMemory(limit: number, empty: number, store: Sized): Promise<void> {
  const needed = empty + MEMORY_FOR_A_BYTE * ((await store.snapshot())?.bytes ?? 0);
  if (needed > limit && formatOf((await store.begins()).values()) < WITH_ENDS)
    throw new ServerUnfitError(
      "redis_memory",
      `the state takes at least ${mebibytes(needed)}, and maxmemory is ${mebibytes(limit)}: give Redis more, CONFIG SET maxmemory and in its configuration`,
    );
}

/** A restore that ran out of memory. */
export function outOfMemory(cause: Error): ServerUnfitError {
  return new ServerUnfitError(
    "redis_memory",
    `the state does not fit into Redis: ${cause.message}. Give it more memory, CONFIG SET maxmemory and in its configuration`,
    { cause },
  );
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

const LOG_KEY = "log:probe";
const OCC_KEY = "occ:probe";
const NO_SCRIPT = "0".repeat(40);

/** What a log with hashes takes besides. HSET has one word too many, which is noticed only when it runs. */
const OF_HASHES: readonly Command[] = [
  ["EXISTS", LOG_KEY],
  ["TYPE", LOG_KEY],
  ["HGETALL", LOG_KEY],
  ["HSET", LOG_KEY, "", "", ""],
  ["HDEL", LOG_KEY, ""],
  ["PEXPIREAT", LOG_KEY, 1],
  ["PERSIST", LOG_KEY],
];

/**
 * Each command that this layer and redis-occ send, in a form that changes nothing: on keys that are not there, or with
 * arguments that Redis refuses once it has looked at the permissions. Text of an ACL is not read: what it comes to, by which
 * of its selectors and categories, Redis alone can say. In capitals, by which whoever looks at the wire tells them from work.
 */
const probes = ({ commit = "watch", expiry = false, hashes = false }: Use): Command[] => [
  ["GET", LOG_KEY],
  ["MGET", LOG_KEY, OCC_KEY],
  ["SET", LOG_KEY, "", "XX", "PX", 1],
  ["SET", OCC_KEY, "", "XX", "EX", 1],
  ["MSET", LOG_KEY, "", OCC_KEY],
  ["DEL", LOG_KEY, OCC_KEY],
  ["PEXPIRE", LOG_KEY, 1],
  ["INCRBY", LOG_KEY, "no number"],
  ["SCAN", 0, "COUNT", 1],
  ["FLUSHDB", "no such option"],
  ["XADD", LOG_KEY, "NOMKSTREAM", "*", "", ""],
  ["XRANGE", TAIL, "-", "-"],
  ["XTRIM", LOG_KEY, "MAXLEN", 0],
  ["XINFO", "STREAM", TAIL],
  ["ZADD", LOG_KEY, "XX", 1, ""],
  ["ZREM", LOG_KEY, ""],
  ["ZRANGE", LOG_KEY, 0, 0],
  ...(expiry || hashes ? ([["PEXPIRETIME", LOG_KEY], ["TIME"]] as const) : []),
  ...(hashes ? OF_HASHES : []),
  ...(commit === "watch"
    ? ([["EVAL", "return 1", 1, LOG_KEY]] as const)
    : ([
        ["EXISTS", OCC_KEY],
        ["SCRIPT", "LOAD", "return 1"],
        ["EVALSHA", NO_SCRIPT, 1, LOG_KEY],
      ] as const)),
];

/** Those that a MULTI does not take. */
const ALONE: readonly Command[] = [["WATCH", LOCK], ["UNWATCH"]];

/** @throws AccessError that names all that is missing */
async function assertPermitted(connection: Connection, needed: readonly Command[]): Promise<void> {
  try {
    await connection.pipeline(ALONE);
    // In a MULTI, which needs permissions as well: what is not permitted is refused before anything runs.
    await connection.transaction(needed);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    const denied = await deniedOf(connection, [...ALONE, ...needed]);
    throw new AccessError(
      `the user may not do all that is needed: ${denied.length > 0 ? denied.join("; ") : error.message}. The README of log-replay has the ACL`,
      { cause: error },
    );
  }
}

async function deniedOf(connection: Connection, commands: readonly Command[]): Promise<string[]> {
  const denied = new Set<string>();
  for (const command of commands) {
    try {
      await connection.pipeline([command]);
    } catch (error) {
      if (error instanceof AccessError) denied.add(error.message);
      else if (!(error instanceof ServerRefusedError)) throw error;
    }
  }
  return [...denied];
}
