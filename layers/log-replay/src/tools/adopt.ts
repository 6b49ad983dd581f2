import { randomBytes } from "node:crypto";
import { Connection, DecodeError, WrongTypeError } from "redis-occ";
import { StoreMismatchError } from "../errors.ts";
import { encodeFrame } from "../format/frame.ts";
import { encodeBody, encodeNotes } from "../format/record.ts";
import { LAST_INSTANT } from "../format/long-ended.ts";
import { FORMAT, type Permits } from "../format/version.ts";
import { isInternal, STORE } from "../redis/keys.ts";
import { assertFit } from "../redis/server-check.ts";
import { begin } from "../recover/begin.ts";
import { claimNext } from "../recover/recovery.ts";
import type { LogStore } from "../stores/store.ts";

/**
 * Whose data become the beginning of which log.
 *
 * @example
 * const options: AdoptOptions = { url, store: await openFileStore({ folder: "seats-log" }) };
 */
export interface AdoptOptions {
  /** The Redis that holds the data. Its user needs `pttl` and `type` besides what the README lists. */
  readonly url: string;
  /** An empty store, which becomes the log of these data. */
  readonly store: LogStore;
  /** Keys may have a time to live, and keep it: see the option of `LoggedRedis`. Needs `pexpiretime` instead of `pttl`. Default false. */
  readonly expiry?: boolean;
  /** Keys may hold hashes whose fields are JSON: see the option of `LoggedRedis`. Default false. */
  readonly hashes?: boolean;
}

export interface Adopted {
  readonly keys: number;
}

const ROUND_TRIP = 5_000;
/** Keys of one record, about: SCAN gives a few more or less. */
const CHUNK = 500;
const SEGMENT_BYTES = 16 * 1024 * 1024;

/**
 * Makes data that a Redis holds already the first state of a log: strings of JSON, and hashes of it. Each value stands in
 * the log before the database is marked as this log's; the first `LoggedRedis` on both then restores it from there, indexes
 * included. Until that mark nothing in Redis is changed.
 *
 * Nobody may write to that server meanwhile. A write in between is noticed, and nothing is marked.
 *
 * @throws StoreMismatchError where the store is not empty, the data are a log's already, or somebody wrote to the server meanwhile;
 *   WrongTypeError for a key that holds no string (and no hash, with `hashes`), DecodeError for one whose value is no JSON, RangeError for one that has the log's own
 *   prefix, or a time to live without `expiry`; OccError; LogError. What was written to the store then counts for nothing: begin again with an empty one
 *
 * @example
 * await createFileStore("seats-log");
 * const { keys } = await adopt({ url, store: await openFileStore({ folder: "seats-log" }) });
 */
export async function adopt({ url, store, expiry = false, hashes = false }: AdoptOptions): Promise<Adopted> {
  const permits = { expiry, hashes };
  const connection = await Connection.open({ url, roundTripTimeout: ROUND_TRIP });
  try {
    await assertFit(connection, permits);
    if ((await store.claims()).length > 0)
      throw new StoreMismatchError(`log ${store.id} has a history already: adopt needs an empty store`);
    const before = await writesOf(connection);
    const keys = await write(contentsOf(connection, permits), store, permits);
    const [marked] = await connection.pipeline([["eval", MARK, 1, STORE, store.id, ...before]]);
    if (marked === 1) return { keys };
    throw new StoreMismatchError(
      "somebody wrote to this Redis while its data were read, or it was saved: adopt them again",
    );
  } finally {
    connection.close();
  }
}

/** Lines of INFO persistence, of which one is another after any write to the server. */
async function writesOf(connection: Connection): Promise<string[]> {
  const [info] = await connection.pipeline([["info", "persistence"]]);
  return [...String(info).matchAll(/^rdb_(?:changes_since_last_save|last_save_time|saves):\d+/gm)].map(
    ([line]) => line,
  );
}

/**
 * Marks the database as a log's, if nobody has written to the server since. In one step: a mark that is set first, and taken back
 * where somebody wrote, stays where the connection is lost in between, and the next start would believe it and wipe the data.
 * KEYS[1] the mark; ARGV[1] the log's identity, then the lines that INFO persistence has to have still
 * @returns 1, or 0 where nothing was done
 */
const MARK = `
local info = redis.call('INFO', 'persistence')
for i = 2, #ARGV do
  if not string.find(info, '\\n' .. ARGV[i] .. '\\r', 1, true) then return 0 end
end
return redis.call('SET', KEYS[1], ARGV[1], 'NX') and 1 or 0
`;

/** Some keys: their values, null of hashes; the fields of those; and when those keys end that do. */
interface Contents {
  readonly images: ReadonlyMap<string, string | null>;
  readonly hashes: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly ends: ReadonlyMap<string, number>;
}

/** Some keys at a time, each once. @throws as `adopt` */
async function* contentsOf(connection: Connection, permits: Permits): AsyncGenerator<Contents> {
  const seen = new Set<string>();
  for (let cursor = "0"; ;) {
    const [reply] = await connection.pipeline([["scan", cursor, "COUNT", CHUNK]]);
    const [next, scanned] = reply as [string, string[]];
    const keys = scanned.filter((key) => !seen.has(key));
    for (const key of keys) seen.add(key);
    if (keys.length > 0) yield await look(connection, keys, permits);
    if (next === "0") return;
    cursor = next;
  }
}

async function look(connection: Connection, keys: readonly string[], { expiry, hashes }: Permits): Promise<Contents> {
  const own = keys.find(isInternal);
  if (own !== undefined) throw new RangeError(`key ${own}: what begins with log: or occ: is the log's own`);
  const [values, ...lives] = await connection.pipeline([
    ["mget", ...keys],
    ...keys.map((key) => [expiry === true ? "pexpiretime" : "pttl", key] as const),
  ]);
  const texts = values as (string | null)[];
  const found = await hashesAmong(
    connection,
    keys.filter((_, i) => texts[i] === null),
    hashes,
  );
  const images = new Map<string, string | null>();
  const ends = new Map<string, number>();
  for (const [i, key] of keys.entries()) {
    const life = lives[i] as number;
    const text = texts[i] ?? null;
    // It has ended since it was scanned, or since its value was asked for.
    if (life === GONE || (text === null && !found.has(key))) continue;
    if (life !== STAYS) {
      if (expiry !== true)
        throw new RangeError(
          `key ${key} has a time to live: it keeps that with the option expiry; or PERSIST or delete it`,
        );
      if (life > LAST_INSTANT) throw new RangeError(`key ${key} ends at an instant that has no date: PERSIST it`);
      ends.set(key, life);
    }
    images.set(key, text === null ? null : imageOf(key, text));
  }
  return { images, hashes: found, ends };
}

/** Of keys without a string those that are there: all have to be hashes. @throws WrongTypeError, DecodeError */
async function hashesAmong(
  connection: Connection,
  keys: readonly string[],
  permitted = false,
): Promise<Map<string, ReadonlyMap<string, string>>> {
  const hashes = new Map<string, ReadonlyMap<string, string>>();
  if (keys.length === 0) return hashes;
  const types = await connection.pipeline(keys.map((key) => ["type", key] as const));
  const present = keys.filter((_, i) => types[i] !== "none");
  for (const [i, key] of keys.entries())
    if (types[i] !== "none" && !(types[i] === "hash" && permitted))
      throw new WrongTypeError(key, String(types[i]), "string");
  if (present.length === 0) return hashes;
  // In capitals: of "hgetall" ioredis makes an object, where a field called "__proto__" is a special case.
  const replies = await connection.pipeline(present.map((key) => ["HGETALL", key] as const));
  for (const [i, key] of present.entries()) {
    const flat = replies[i] as string[];
    const fields = new Map<string, string>();
    for (let k = 0; k + 1 < flat.length; k += 2) {
      const field = flat[k] ?? "";
      fields.set(field, imageOf(key, flat[k + 1] ?? "", field));
    }
    if (fields.size > 0) hashes.set(key, fields);
  }
  return hashes;
}

/** What Redis answers of a key that is not there, and of one that does not end. */
const GONE = -2;
const STAYS = -1;

/** JSON on one line, as it stands where it can: a number of any length stays what it is. @param field where it is the value of one */
function imageOf(key: string, text: string, field?: string): string {
  const where = field === undefined ? {} : { field };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError(key, { cause, ...where });
  }
  if (value === null)
    throw new DecodeError(key, { cause: new TypeError("null stands for a key that is not there"), ...where });
  return /[\r\n]/.test(text) ? JSON.stringify(value) : text;
}

/** The first epoch of the log. @returns how many keys it has */
async function write(contents: AsyncIterable<Contents>, store: LogStore, permits: Permits): Promise<number> {
  const epoch = await claimNext(store);
  if (epoch !== 1) throw begunMeanwhile(store);
  await begin(epoch, { store, ...permits }, { parent: 0, cut: 0, format: FORMAT });
  const segment = store.createSegment(epoch);
  const process = randomBytes(6).toString("hex");
  const notes = encodeNotes({ op: "adopt" });
  let [keys, n] = [0, 0];
  try {
    for await (const { images, hashes, ends } of contents) {
      n++;
      keys += images.size;
      const body = encodeBody(new Date().toISOString(), `${process}-${n}`, notes, images, ends, hashes);
      if (segment.size >= SEGMENT_BYTES) await segment.roll();
      await segment.append(encodeFrame([{ epoch, n, body }]));
    }
  } finally {
    await segment.close();
  }
  // As after every append: a claim made before this look may have cut the epoch off below the data, which a start would then wipe.
  if (await store.isSealed(epoch)) throw begunMeanwhile(store);
  return keys;
}

function begunMeanwhile({ id }: LogStore): StoreMismatchError {
  return new StoreMismatchError(`log ${id} was begun by somebody else meanwhile`);
}
