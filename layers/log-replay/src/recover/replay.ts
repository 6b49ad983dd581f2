import { ServerRefusedError, type Command } from "redis-occ";
import { failPoint } from "../fail-points.ts";
import type { FramedLine } from "../format/frame.ts";
import { WITH_ENDS } from "../format/version.ts";
import { stretchesAfter } from "../read/newest-snapshot.ts";
import { byEpoch } from "../read/chain.ts";
import { readStretch } from "../read/stretch.ts";
import { inParts, indexCommands, staysPresent, type Indexed } from "../redis/indexes.ts";
import { outOfMemory } from "../redis/server-check.ts";
import { MOST_RECORDED } from "../redis/recorded.ts";
import { eachImage, txOf } from "../format/record.ts";
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
        eachImage(line, file, add);
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
    throw error instanceof ServerRefusedError && error.message.startsWith("OOM") ? outOfMemory(error) : error;
  }
  await failPoint("chunk.after");
}

class Chunk {
  readonly #indexes: readonly string[];
  readonly #now: number;
  #images = new Map<string, Indexed & { readonly image: string | null; readonly end: number | null }>();
  #bytes = 0;

  /** @param now by the server's clock; milliseconds since 1970 */
  constructor(indexes: readonly string[], now: number) {
    this.#indexes = indexes;
    this.#now = now;
  }

  get full(): boolean {
    return this.#images.size >= CHUNK_KEYS || this.#bytes >= CHUNK_BYTES;
  }

  add(key: string, image: string | null, at: number, end: number | null): void {
    const kept = end !== null && end <= this.#now ? null : image;
    this.#images.set(key, { image: kept, end, present: staysPresent(kept, end), at });
    this.#bytes += key.length + (image?.length ?? 0);
  }

  take(): Command[] {
    const present: string[] = [];
    const deleted: string[] = [];
    const ending: Command[] = [];
    const images = this.#images;
    for (const [key, { image, end }] of images) {
      if (image === null) deleted.push(key);
      else if (end === null) present.push(key, image);
      else ending.push(["set", key, image, "PXAT", end]);
    }
    this.#images = new Map();
    this.#bytes = 0;
    return [
      ...inParts(["mset"], present),
      ...ending,
      ...inParts(["del"], deleted),
      ...indexCommands(this.#indexes, images),
    ];
  }
}
