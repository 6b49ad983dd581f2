import { Connection, type Command, type Reply } from "redis-occ";
import { StoreMismatchError } from "../errors.ts";
import { formatOf, permitsOf, type Permits } from "../format/version.ts";
import { historyLines } from "../read/history-lines.ts";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, isInternal, TAIL } from "../redis/keys.ts";
import { judgeGuard, parseGuard } from "../protocol.ts";
import { stateAt } from "../read/history.ts";
import { contentOf, merged, textOf, type Change, type Content, type Merged } from "../format/change.ts";
import { eachChange, type Entry } from "../format/record.ts";
import type { LogStore } from "../stores/store.ts";
import { parseId, parseTail, readTailAfter } from "../redis/tail.ts";

/** A key that in Redis is not what the log gives: its value as JSON text (of a hash an object of its fields), null where there is none. */
export interface Difference {
  readonly key: string;
  readonly log: string | null;
  readonly redis: string | null;
  /** Which of the two is a hash, where one is. */
  readonly hash?: { readonly log: boolean; readonly redis: boolean };
  /** When it ends, where that differs: milliseconds since 1970, null for never. */
  readonly ends?: { readonly log: number | null; readonly redis: number | null };
}

export interface Compared {
  readonly keys: number;
  readonly differences: readonly Difference[];
}

/** Milliseconds for one round trip. */
const ROUND_TRIP = 5_000;
const CHUNK = 500;

/** What a key holds, and when it ends: milliseconds since 1970, null where it stays. */
interface Held {
  readonly content: Content;
  readonly end: number | null;
}

function isSame(a: Held | null, b: Held | null): boolean {
  if (a === null || b === null) return a === b;
  return a.end === b.end && typeof a.content === typeof b.content && textOf(a.content) === textOf(b.content);
}

/** @param expiry whether keys may end: what need not be asked, the user need not be permitted */
const valuesOf = (keys: readonly string[], { expiry }: Permits): Command[] => [
  ["mget", ...keys],
  ...(expiry === true ? keys.map((key) => ["pexpiretime", key] as const) : []),
];

/** In capitals: of "hgetall" ioredis makes an object outside of a MULTI. Of a key of another type the reply is an error. */
const fieldsOf = (keys: readonly string[], { hashes }: Permits): Command[] =>
  hashes === true ? keys.map((key) => ["HGETALL", key] as const) : [];

/**
 * @param replies to `valuesOf`
 * @param fields the reply to `fieldsOf` of those keys that may be hashes
 * @returns null for a key that is not there
 */
function heldOf(
  keys: readonly string[],
  [values, ...ends]: readonly (Reply | Error)[],
  fields: ReadonlyMap<string, Reply | Error | undefined>,
): Map<string, Held | null> {
  return new Map(
    keys.map((key, i) => {
      const content = (values as (string | null)[])[i] ?? hashOf(fields.get(key));
      const end = ends[i];
      return [key, content === null ? null : { content, end: typeof end === "number" && end >= 0 ? end : null }];
    }),
  );
}

/** @param reply to HGETALL @returns null where there is no hash */
function hashOf(reply: Reply | Error | undefined): ReadonlyMap<string, string> | null {
  if (!Array.isArray(reply) || reply.length === 0) return null;
  const fields = new Map<string, string>();
  for (let i = 0; i < reply.length; i += 2) fields.set(String(reply[i]), String(reply[i + 1]));
  return fields;
}

/**
 * Compares the log's state with a live Redis, while others go on writing. A key that looks different is read again
 * together with the number of the commit that Redis has reached, and compared with the log's state at exactly that
 * commit.
 * @throws StoreMismatchError where Redis holds no state of this log now; LogDamageError; OccError
 *
 * @example
 * const { differences } = await diff(store, url);
 * for (const { key, log, redis } of differences) console.log(key, log, redis);
 */
export async function diff(store: LogStore, url: string): Promise<Compared> {
  const connection = await Connection.open({ url, roundTripTimeout: ROUND_TRIP });
  try {
    const [guard, info] = await connection.pipeline([["get", GUARD], ASK_DATASET]);
    const text = typeof guard === "string" ? guard : null;
    const verdict = judgeGuard(parseGuard(text), { ...readDataset(info, connection), store: store.id });
    if (verdict === "foreign") throw new StoreMismatchError("Redis holds the state of another log");
    if (verdict !== "fine")
      throw new StoreMismatchError(
        "Redis holds no state of this log now: it is empty, being restored, or an older copy",
      );
    const permits = permitsOf(formatOf((await store.begins()).values()));
    const { keys, suspects } = await compareLoosely(store, connection, permits);
    const looks: Look[] = [];
    for (let i = 0; i < suspects.length; i += CHUNK)
      looks.push(await lookAt(connection, suspects.slice(i, i + CHUNK), text, permits));
    return { keys, differences: await compareExactly(store, looks) };
  } finally {
    connection.close();
  }
}

/** Keys in which Redis, during a scan, differs from the log as it was before. */
async function compareLoosely(
  store: LogStore,
  connection: Connection,
  permits: Permits,
): Promise<{ keys: number; suspects: string[] }> {
  const { images } = await stateAt(store);
  const unseen = new Set(images.keys());
  const suspects = new Set<string>();
  for (let cursor = "0"; ;) {
    const [reply] = await connection.pipeline([["scan", cursor, "COUNT", CHUNK]]);
    const [next, scanned] = reply as [string, string[]];
    const keys = scanned.filter((key) => !isInternal(key));
    const replies = keys.length > 0 ? await connection.pipeline(valuesOf(keys, permits)) : [[]];
    const unclear = keys.filter((_, i) => (replies[0] as (string | null)[])[i] === null);
    const contents = unclear.length > 0 ? await connection.each(fieldsOf(unclear, permits), 0) : [];
    for (const [key, held] of heldOf(keys, replies, new Map(unclear.map((each, i) => [each, contents[i]])))) {
      unseen.delete(key);
      const { image, fields, end = null } = images.get(key) ?? {};
      if (!isSame(held, image === undefined ? null : { content: fields ?? image, end })) suspects.add(key);
    }
    if (next === "0") return { keys: images.size, suspects: [...suspects, ...unseen] };
    cursor = next;
  }
}

/** Some keys at one instant, with the commit that Redis had reached then, and its commits that the log may not have yet. */
interface Look {
  readonly values: ReadonlyMap<string, Held | null>;
  /** By Redis's clock, and no earlier than that instant: milliseconds since 1970. */
  readonly time: number;
  readonly n: number;
  readonly tail: readonly Entry[];
}

async function lookAt(
  connection: Connection,
  keys: readonly string[],
  guard: string | null,
  permits: Permits,
): Promise<Look> {
  const asked = fieldsOf(keys, permits);
  const replies = await connection.transaction([
    ["get", GUARD],
    ["xinfo", "STREAM", TAIL],
    readTailAfter(0, null),
    permits.expiry === true ? ["time"] : ["echo", ""],
    ...asked,
    ...valuesOf(keys, permits),
  ]);
  const [now, stream, tail, time, ...rest] = replies ?? [];
  const [fields, values] = [rest.slice(0, asked.length), rest.slice(asked.length)];
  if (now !== guard || stream instanceof Error || !Array.isArray(stream) || !Array.isArray(values[0])) {
    throw new StoreMismatchError("Redis was restored while it was compared: compare again");
  }
  const { n } = parseId(stream[stream.indexOf("last-generated-id") + 1]);
  return {
    values: heldOf(keys, values, new Map(keys.map((key, i) => [key, fields[i]]))),
    time: Array.isArray(time) ? Math.floor(Number(time[0]) * 1_000 + Number(time[1]) / 1_000) : 0,
    n,
    tail: parseTail(tail as Reply),
  };
}

function differenceOf(key: string, log: Held | null, redis: Held | null): Difference {
  const ends = { log: log?.end ?? null, redis: redis?.end ?? null };
  const [logged, live] = [log?.content ?? null, redis?.content ?? null];
  const hash = { log: typeof logged === "object" && logged !== null, redis: typeof live === "object" && live !== null };
  return {
    key,
    log: logged === null ? null : textOf(logged),
    redis: live === null ? null : textOf(live),
    ...(hash.log || hash.redis ? { hash } : {}),
    ...(ends.log === ends.redis ? {} : { ends }),
  };
}

/** @param looks in the order in which they were made */
async function compareExactly(store: LogStore, looks: readonly Look[]): Promise<Difference[]> {
  const wanted = new Set(looks.flatMap(({ values }) => [...values.keys()]));
  const known = new Map<string, { readonly value: Merged; readonly end: number | null }>();
  const put = (key: string, change: Change, _at: number, end: number | null): void =>
    void (wanted.has(key) && known.set(key, { value: merged(known.get(key)?.value ?? null, change), end }));
  const logged = (key: string): Held | null => {
    const { value = null, end = null } = known.get(key) ?? {};
    const content = contentOf(value);
    return content === null ? null : { content, end };
  };
  const differences: Difference[] = [];
  const compare = ({ values, time }: Look): void => {
    for (const [key, redis] of values) {
      const log = logged(key);
      const hasEnded = redis === null && log !== null && log.end !== null && log.end <= time;
      if (!hasEnded && !isSame(log, redis)) differences.push(differenceOf(key, log, redis));
    }
  };
  const waiting = [...looks];
  let reached = 0;
  if (waiting.length > 0) {
    for await (const { n, line, file } of historyLines(store)) {
      for (; waiting[0] !== undefined && waiting[0].n < n; waiting.shift()) compare(waiting[0]);
      if (waiting.length === 0) break;
      eachChange(line, file, put);
      reached = n;
    }
  }
  for (const look of waiting) {
    // Commits that are executed and not in the log yet: their writer is about to append them, or the next one will.
    for (const { n, body } of look.tail) {
      if (n <= reached || n > look.n) continue;
      eachChange(Buffer.from(`{${body}}`), "tail", put);
      reached = n;
    }
    compare(look);
  }
  return differences;
}
