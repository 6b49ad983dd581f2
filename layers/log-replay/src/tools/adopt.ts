import { randomBytes } from "node:crypto";
import { Connection, DecodeError, WrongTypeError, type Reply } from "redis-occ";
import { StoreMismatchError } from "../errors.ts";
import { encodeFrame } from "../format/frame.ts";
import { encodeBody, encodeNotes } from "../format/record.ts";
import { isInternal, STORE } from "../redis/keys.ts";
import { assertFit } from "../redis/server-check.ts";
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
}

export interface Adopted {
  readonly keys: number;
}

const ROUND_TRIP = 5_000;
/** Keys of one record, about: SCAN gives a few more or less. */
const CHUNK = 500;
const SEGMENT_BYTES = 16 * 1024 * 1024;

/**
 * Makes data that a Redis holds already the first state of a log: strings of JSON, without a time to live. Each value stands in
 * the log before the database is marked as this log's; the first `LoggedRedis` on both then restores it from there, indexes
 * included. Until that mark nothing in Redis is changed.
 *
 * Nobody may write to that server meanwhile. A write in between is noticed, and nothing is marked.
 *
 * @throws StoreMismatchError where the store is not empty, the data are a log's already, or somebody wrote to the server meanwhile;
 *   WrongTypeError for a key that holds no string, DecodeError for one whose value is no JSON, RangeError for one that would expire or
 *   has the log's own prefix; OccError; LogError. What was written to the store then counts for nothing: begin again with an empty one
 *
 * @example
 * await createFileStore("seats-log");
 * const { keys } = await adopt({ url, store: await openFileStore({ folder: "seats-log" }) });
 */
export async function adopt({ url, store }: AdoptOptions): Promise<Adopted> {
  const connection = await Connection.open({ url, roundTripTimeout: ROUND_TRIP });
  try {
    await assertFit(connection, store);
    if ((await store.claims()).length > 0)
      throw new StoreMismatchError(`log ${store.id} has a history already: adopt needs an empty store`);
    const before = await writesOf(connection);
    const keys = await write(imagesIn(connection), store);
    const replies = await connection.transaction([
      ["info", "persistence"],
      ["set", STORE, store.id, "NX"],
    ]);
    const [persistence, marked] = replies ?? [];
    if (marked !== "OK") throw new StoreMismatchError("Redis holds the state of a log already");
    if (writesIn(persistence) === before) return { keys };
    await connection.pipeline([["del", STORE]]);
    throw new StoreMismatchError(
      "somebody wrote to this Redis while its data were read, or it was saved: adopt them again",
    );
  } finally {
    connection.close();
  }
}

async function writesOf(connection: Connection): Promise<string> {
  const [info] = await connection.pipeline([["info", "persistence"]]);
  return writesIn(info);
}

/** What is another text after any write to the server. @param info INFO persistence */
function writesIn(info: Reply | Error | undefined): string {
  return [...String(info).matchAll(/^rdb_(?:changes_since_last_save|last_save_time):\d+/gm)].join();
}

/** Some keys at a time, each once, with their values. @throws as `adopt` */
async function* imagesIn(connection: Connection): AsyncGenerator<ReadonlyMap<string, string>> {
  const seen = new Set<string>();
  for (let cursor = "0"; ;) {
    const [reply] = await connection.pipeline([["scan", cursor, "COUNT", CHUNK]]);
    const [next, scanned] = reply as [string, string[]];
    const keys = scanned.filter((key) => !seen.has(key));
    for (const key of keys) seen.add(key);
    if (keys.length > 0) yield await imagesOf(connection, keys);
    if (next === "0") return;
    cursor = next;
  }
}

async function imagesOf(connection: Connection, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const own = keys.find(isInternal);
  if (own !== undefined) throw new RangeError(`key ${own}: what begins with log: or occ: is the log's own`);
  const [values, ...lives] = await connection.pipeline([
    ["mget", ...keys],
    ...keys.map((key) => ["pttl", key] as const),
  ]);
  const other = keys.find((_, i) => (values as (string | null)[])[i] === null);
  if (other !== undefined) {
    const [type] = await connection.pipeline([["type", other]]);
    throw new WrongTypeError(other, String(type), "string");
  }
  return new Map(
    keys.map((key, i) => {
      if (lives[i] !== -1 && lives[i] !== -2)
        throw new RangeError(`key ${key} has a time to live, which no log keeps: PERSIST it, or delete it`);
      return [key, imageOf(key, (values as string[])[i] ?? "")];
    }),
  );
}

/** JSON on one line, as it stands where it can: a number of any length stays what it is. */
function imageOf(key: string, text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError(key, { cause });
  }
  if (value === null) throw new DecodeError(key, { cause: new TypeError("null stands for a key that is not there") });
  return /[\r\n]/.test(text) ? JSON.stringify(value) : text;
}

/** The first epoch of the log. @returns how many keys it has */
async function write(images: AsyncIterable<ReadonlyMap<string, string>>, store: LogStore): Promise<number> {
  const epoch = await claimNext(store);
  if (epoch !== 1) throw new StoreMismatchError(`log ${store.id} was begun by somebody else meanwhile`);
  await store.writeBegin(epoch, { parent: 0, cut: 0 });
  const segment = store.createSegment(epoch);
  const process = randomBytes(6).toString("hex");
  const notes = encodeNotes({ op: "adopt" });
  let [keys, n] = [0, 0];
  try {
    for await (const part of images) {
      n++;
      keys += part.size;
      const body = encodeBody(new Date().toISOString(), `${process}-${n}`, notes, part);
      if (segment.size >= SEGMENT_BYTES) await segment.roll();
      await segment.append(encodeFrame([{ epoch, n, body }]));
    }
  } finally {
    await segment.close();
  }
  return keys;
}
