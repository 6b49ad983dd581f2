import type { LogStore, Segment } from "log-replay";

/** Where a line stands. */
export interface LineRange {
  /** The segment's name without its folder. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Bytes between two lines of a file up to which both are fetched by one read. */
const GAP = 64 * 1024;
const CHUNK = 256 * 1024;
const SMALLEST_CHUNK = 4 * 1024;

/** Reads single lines of a log's segments, whichever folder those are in by now. */
export class LineReader {
  readonly #store: LogStore;
  #listing: Promise<ReadonlyMap<string, Segment>> | undefined;

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** The lines in the order in which they are asked for; null for a line that is not there. Neighbours share a read. */
  async read(places: readonly (LineRange | null)[]): Promise<(Buffer | null)[]> {
    const wanted = places
      .flatMap((place, index) => (place === null ? [] : [{ ...place, index }]))
      .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.offset - b.offset));
    const found: (Buffer | null)[] = places.map(() => null);
    for (let from = 0; from < wanted.length;) {
      const first = wanted[from] as (typeof wanted)[number];
      let end = first.offset + first.length;
      let to = from + 1;
      for (let next = wanted[to]; next !== undefined && next.file === first.file; next = wanted[++to]) {
        if (next.offset - end > GAP) break;
        end = Math.max(end, next.offset + next.length);
      }
      const bytes = await this.#part(first.file, first.offset, end - first.offset);
      if (bytes !== null) {
        for (const { index, offset, length } of wanted.slice(from, to))
          found[index] = bytes.subarray(offset - first.offset, offset - first.offset + length);
      }
      from = to;
    }
    return found;
  }

  /** A part of a file, wherever a compaction may have taken that meanwhile; null where it cannot be read. */
  async #part(file: string, offset: number, length: number): Promise<Buffer | null> {
    for (let attempt = 0; attempt < 2; attempt++) {
      if (attempt > 0) this.#listing = undefined;
      try {
        const segment = (await (this.#listing ??= this.#list())).get(file);
        if (segment === undefined) continue;
        const bytes = Buffer.allocUnsafe(length);
        let filled = 0;
        const chunk = Math.min(CHUNK, Math.max(SMALLEST_CHUNK, length));
        for await (const part of this.#store.read(segment, chunk, offset)) {
          filled += part.copy(bytes, filled, 0, Math.min(part.length, length - filled));
          if (filled >= length) return bytes;
        }
      } catch {
        // Moved to the archive since it was listed, or the store is not there: once more, then it is missing.
      }
    }
    return null;
  }

  async #list(): Promise<ReadonlyMap<string, Segment>> {
    const all = [...(await this.#store.segments()), ...(await this.#store.archived())];
    return new Map(all.map((segment) => [segment.name.slice(segment.name.lastIndexOf("/") + 1), segment]));
  }
}
