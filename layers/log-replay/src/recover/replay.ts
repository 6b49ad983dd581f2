import { ServerRefusedError, type Command } from "redis-occ";
import { LogDamageError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import type { FramedLine } from "../format/frame.ts";
import { WITH_ENDS } from "../format/version.ts";
import { stretchesAfter } from "../read/newest-snapshot.ts";
import { byEpoch } from "../read/chain.ts";
import { readStretch } from "../read/stretch.ts";
import { inParts, indexCommands, staysPresent, type Indexed } from "../redis/indexes.ts";
import { outOfMemory } from "../redis/server-check.ts";
import { MOST_RECORDED } from "../redis/recorded.ts";
import { lengthOf, merged, presentIn, type Change, type Merged, type MergedFields } from "../format/change.ts";
import { eachChange, txOf } from "../format/record.ts";
import type { RestoreLock } from "./lock.ts";
import { readSnapshot } from "../read/snapshot.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";
import type { Survey } from "./survey.ts";

/** A chunk is sent once it has this many keys or bytes, so that memory is bounded and the lock renewed often enough. */
const CHUNK_KEYS = 1_000;
const CHUNK_BYTES = 1024 * 1024;

/** Milliseconds between two reports of progress. A replay that is faster reports nothing. */
const PROGRESS_INTERVAL = 1_000;

/**
 * Puts the surveyed history into an empty database: a snapshot, and what comes after it. Only the last value of a key
 * within a chunk is sent.
 * @throws ConnectionLostError if the connection breaks or the lock is lost: start over with a wipe; GoneError and
 *   LogDamageError if a compaction has taken away what was being read: start over with a wipe and the newest snapshot;
 *   ServerUnfitError if Redis has too little memory
 * @returns what the last commits are named, at most `MOST_RECORDED` of them
 */
export async function applyHistory(
  { store, indexes }: { readonly store: LogStore; readonly indexes: readonly string[] },
  lock: RestoreLock,
  { history, parent, cut, format }: Survey,
  snapshot: Snapshot | null,
  onProgress: (records: number) => void,
): Promise<string[]> {
  // What has ended is left out at once: there may be many times as many of those keys as there is memory.
  const chunk = new Chunk(indexes, format >= WITH_ENDS ? await lock.now() : -Infinity);
  const add = chunk.add.bind(chunk);
  // While one chunk is on its way, the next one is read: at most two are in memory.
  let sending = Promise.resolve();
  const send = async (): Promise<void> => {
    await sending;
    sending = put(lock, chunk.take());
    // Its failure is reported at the next chunk, or at the end.
    sending.catch(() => undefined);
  };
  let records = 0;
  let told = performance.now();
  let names: string[] = [];
  const apply = async (source: AsyncIterable<readonly FramedLine[]>, file: string): Promise<void> => {
    for await (const lines of source) {
      for (const { epoch, n, line } of lines) {
        eachChange(line, file, add);
        if (epoch === parent && n > cut - MOST_RECORDED) names = withName(names, line);
        if (chunk.full) await send();
      }
      records += lines.length;
      if (performance.now() - told > PROGRESS_INTERVAL) {
        told = performance.now();
        onProgress(records);
      }
    }
  };
  try {
    if (snapshot !== null) await apply(readSnapshot(store, snapshot), snapshot.name);
    const segments = byEpoch(await store.segments());
    for (const stretch of stretchesAfter(history, snapshot))
      await apply(
        readStretch(store, stretch, { segments: segments.get(stretch.epoch) ?? [] }),
        `epoch ${stretch.epoch}`,
      );
    await send();
    return names;
  } finally {
    // Nothing is on its way any more once this has ended, however it ends.
    await sending;
  }
}

/** Commits follow each other, so where one has no name, those before it are not told either. */
function withName(names: string[], line: Buffer): string[] {
  const name = txOf(line);
  if (name === null) return [];
  names.push(name);
  return names;
}

async function put(lock: RestoreLock, commands: readonly Command[]): Promise<void> {
  await failPoint("chunk.before");
  try {
    await lock.write(commands);
  } catch (error) {
    if (error instanceof ServerRefusedError && error.message.startsWith("OOM")) throw outOfMemory(error);
    if (error instanceof Error && error.cause instanceof Error && error.cause.message.startsWith("WRONGTYPE"))
      throw new LogDamageError("the log", 0, "a record changes fields of a key that holds a string; verify names it");
    throw error;
  }
  await failPoint("chunk.after");
}

class Chunk {
  readonly #indexes: readonly string[];
  readonly #now: number;
  #keys = new Map<string, Indexed & { readonly value: Merged; readonly end: number | null }>();
  #bytes = 0;

  /** @param now by the server's clock; milliseconds since 1970 */
  constructor(indexes: readonly string[], now: number) {
    this.#indexes = indexes;
    this.#now = now;
  }

  get full(): boolean {
    return this.#keys.size >= CHUNK_KEYS || this.#bytes >= CHUNK_BYTES;
  }

  add(key: string, change: Change, at: number, end: number | null): void {
    // Of a hash all fields have ended with it: whoever gives it another end says all of them.
    const kept = end !== null && end <= this.#now ? null : change;
    const value = merged(this.#keys.get(key)?.value, kept);
    this.#keys.set(key, { value, end, present: staysPresent(value, end), at });
    this.#bytes += key.length + lengthOf(change);
  }

  take(): Command[] {
    const present: string[] = [];
    const deleted: string[] = [];
    const others: Command[] = [];
    const keys = this.#keys;
    for (const [key, { value, end }] of keys) {
      if (typeof value === "object") {
        if (value === null || value.isWhole) deleted.push(key);
        if (value !== null) others.push(...hashCommands(key, value, end));
      } else if (end === null) present.push(key, value);
      else others.push(["set", key, value, "PXAT", end]);
    }
    this.#keys = new Map();
    this.#bytes = 0;
    return [
      ...inParts(["mset"], present),
      ...inParts(["del"], deleted),
      ...others,
      ...indexCommands(this.#indexes, keys),
    ];
  }
}

/** New fields first: Redis deletes a hash that has none for a moment. */
function hashCommands(key: string, { fields }: MergedFields, end: number | null): Command[] {
  const removed = Array.from(fields).flatMap(([field, text]) => (text === null ? [field] : []));
  return [
    ...inParts(["hset", key], [...presentIn(fields)].flat()),
    ...inParts(["hdel", key], removed),
    ...(end === null ? [] : [["pexpireat", key, end] as const]),
  ];
}
