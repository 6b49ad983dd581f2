import type { Command } from "redis-occ";
import { readStretch } from "./history.ts";
import { inParts, indexCommands } from "./images.ts";
import { eachImage } from "./record.ts";
import type { RestoreLock } from "./restore-lock.ts";
import type { LogStore } from "./store.ts";
import type { Survey } from "./survey.ts";

/** A chunk is sent once it has this many keys or bytes: bounded memory, and the lock is renewed often enough. */
const CHUNK_KEYS = 1_000;
const CHUNK_BYTES = 1024 * 1024;

/** Milliseconds between two words about progress; a replay that is faster says nothing. */
const PROGRESS_INTERVAL = 1_000;

/**
 * Puts the surveyed history into an empty database. Only the last value of a key within a chunk is sent.
 * @throws ConnectionLostError where the connection breaks or the lock is lost: start over with a wipe
 */
export async function applyHistory(
  { store, indexes }: { readonly store: LogStore; readonly indexes: readonly string[] },
  lock: RestoreLock,
  { stretches }: Survey,
  onProgress: (records: number) => void,
): Promise<void> {
  const chunk = new Chunk(indexes);
  const add = chunk.add.bind(chunk);
  // While one chunk is on its way the next one is read: two of them are in memory at most.
  let sending = Promise.resolve();
  const send = async (): Promise<void> => {
    await sending;
    sending = lock.write(chunk.take());
    // Its failure is told at the next chunk, or at the end.
    sending.catch(() => undefined);
  };
  let records = 0;
  let told = performance.now();
  for (const stretch of stretches) {
    for await (const lines of readStretch(store, stretch)) {
      for (const { line } of lines) {
        eachImage(line, `epoch ${stretch.epoch}`, add);
        if (chunk.full) await send();
      }
      records += lines.length;
      if (performance.now() - told > PROGRESS_INTERVAL) {
        told = performance.now();
        onProgress(records);
      }
    }
  }
  await send();
  await sending;
}

class Chunk {
  readonly #indexes: readonly string[];
  #images = new Map<string, { readonly image: string | null; readonly present: boolean; readonly at: number }>();
  #bytes = 0;

  constructor(indexes: readonly string[]) {
    this.#indexes = indexes;
  }

  get full(): boolean {
    return this.#images.size >= CHUNK_KEYS || this.#bytes >= CHUNK_BYTES;
  }

  add(key: string, image: string | null, at: number): void {
    this.#images.set(key, { image, present: image !== null, at });
    this.#bytes += key.length + (image?.length ?? 0);
  }

  take(): Command[] {
    const put: string[] = [];
    const deleted: string[] = [];
    const images = this.#images;
    for (const [key, { image }] of images) {
      if (image === null) deleted.push(key);
      else put.push(key, image);
    }
    this.#images = new Map();
    this.#bytes = 0;
    return [...inParts(["mset"], put), ...inParts(["del"], deleted), ...indexCommands(this.#indexes, images)];
  }
}
