import { Connection, type Reply } from "redis-occ";
import { StoreMismatchError } from "../errors.ts";
import { historyLines } from "../read/history-lines.ts";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, isInternal, TAIL } from "../redis/keys.ts";
import { judgeGuard, parseGuard } from "../protocol.ts";
import { stateAt } from "../read/history.ts";
import { eachImage, type Entry } from "../format/record.ts";
import type { LogStore } from "../stores/store.ts";
import { parseId, parseTail, readTailAfter } from "../redis/tail.ts";

/** A key whose value in Redis is not the one that the log gives; JSON text, null where there is none. */
export interface Difference {
  readonly key: string;
  readonly log: string | null;
  readonly redis: string | null;
}

export interface Compared {
  readonly keys: number;
  readonly differences: readonly Difference[];
}

/** Milliseconds for one round trip. */
const ROUND_TRIP = 5_000;
const CHUNK = 500;

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
    const { keys, suspects } = await compareLoosely(store, connection);
    const looks: Look[] = [];
    for (let i = 0; i < suspects.length; i += CHUNK)
      looks.push(await lookAt(connection, suspects.slice(i, i + CHUNK), text));
    return { keys, differences: await compareExactly(store, looks) };
  } finally {
    connection.close();
  }
}

/** Keys in which Redis, during a scan, differs from the log as it was before. */
async function compareLoosely(store: LogStore, connection: Connection): Promise<{ keys: number; suspects: string[] }> {
  const { images } = await stateAt(store);
  const unseen = new Set(images.keys());
  const suspects = new Set<string>();
  for (let cursor = "0"; ;) {
    const [reply] = await connection.pipeline([["scan", cursor, "COUNT", CHUNK]]);
    const [next, scanned] = reply as [string, string[]];
    const keys = scanned.filter((key) => !isInternal(key));
    const [values] = keys.length > 0 ? await connection.pipeline([["mget", ...keys]]) : [[]];
    for (const [i, key] of keys.entries()) {
      unseen.delete(key);
      if ((values as Reply[])[i] !== images.get(key)?.image) suspects.add(key);
    }
    if (next === "0") return { keys: images.size, suspects: [...suspects, ...unseen] };
    cursor = next;
  }
}

/** Some keys at one instant, with the commit that Redis had reached then, and its commits that the log may not have yet. */
interface Look {
  readonly values: ReadonlyMap<string, string | null>;
  readonly n: number;
  readonly tail: readonly Entry[];
}

async function lookAt(connection: Connection, keys: readonly string[], guard: string | null): Promise<Look> {
  const replies = await connection.transaction([
    ["get", GUARD],
    ["mget", ...keys],
    ["xinfo", "STREAM", TAIL],
    readTailAfter(0, null),
  ]);
  const [now, values, stream, tail] = replies ?? [];
  if (now !== guard || stream instanceof Error || !Array.isArray(stream) || !Array.isArray(values)) {
    throw new StoreMismatchError("Redis was restored while it was compared: compare again");
  }
  const { n } = parseId(stream[stream.indexOf("last-generated-id") + 1]);
  return {
    values: new Map(keys.map((key, i) => [key, values[i] as string | null])),
    n,
    tail: parseTail(tail as Reply),
  };
}

/** @param looks in the order in which they were made */
async function compareExactly(store: LogStore, looks: readonly Look[]): Promise<Difference[]> {
  const wanted = new Set(looks.flatMap(({ values }) => [...values.keys()]));
  const images = new Map<string, string | null>();
  const put = (key: string, image: string | null): void => void (wanted.has(key) && images.set(key, image));
  const differences: Difference[] = [];
  const compare = ({ values }: Look): void => {
    for (const [key, redis] of values) {
      const log = images.get(key) ?? null;
      if (log !== redis) differences.push({ key, log, redis });
    }
  };
  const waiting = [...looks];
  let reached = 0;
  if (waiting.length > 0) {
    for await (const { n, line, file } of historyLines(store)) {
      for (; waiting[0] !== undefined && waiting[0].n < n; waiting.shift()) compare(waiting[0]);
      if (waiting.length === 0) break;
      eachImage(line, file, put);
      reached = n;
    }
  }
  for (const look of waiting) {
    // Commits that are executed and not in the log yet: their writer is about to append them, or the next one will.
    for (const { n, body } of look.tail) {
      if (n <= reached || n > look.n) continue;
      eachImage(Buffer.from(`{${body}}`), "tail", put);
      reached = n;
    }
    compare(look);
  }
  return differences;
}
