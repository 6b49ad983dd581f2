import { isIntact, positionOf } from "../format/record.ts";
import { GoneError } from "../errors.ts";
import type { LogStore, Segment } from "../stores/store.ts";
import { isNewest } from "./newest-snapshot.ts";

/** Segments whose ends are read, those that were written to last: a store may have many, and each costs it a request. */
const LATEST = 8;
/**
 * Bytes that are read from a segment's end at first, where its last frame is not known; four times as many each time that no whole
 * record is in them.
 */
const END_BYTES = 16 * 1024;

export interface EndOf {
  readonly epoch: number;
  /** The commit that the epoch goes on from. */
  readonly cut: number;
  /** More is read where the end seems to be below this commit. */
  readonly expected: number;
}

/**
 * The last commit of an epoch that the log has: as far as it can be told from the ends of the segments that were written to
 * last, and from all of them where that is less than what is expected.
 */
export async function logEnd(store: LogStore, wanted: EndOf): Promise<number> {
  const { epoch, cut, expected } = wanted;
  const [snapshot, segments] = await Promise.all([store.snapshot(), store.segments(epoch)]);
  segments.sort((a, b) => (b.modified ?? Infinity) - (a.modified ?? Infinity));
  let end = Math.max(cut, snapshot?.epoch === epoch ? snapshot.n : 0);
  for (let from = 0; from < segments.length && (from === 0 || end < expected); from += LATEST) {
    const ends = await Promise.all(segments.slice(from, from + LATEST).map((segment) => endOf(store, segment)));
    end = Math.max(end, ...ends);
  }
  // What is missing may have been folded into a newer snapshot, and taken away, between these looks.
  return end < expected && !(await isNewest(store, snapshot)) ? logEnd(store, wanted) : end;
}

/** The commit of a segment's last whole record; 0 where there is none, or where a compaction has taken it away. */
async function endOf(store: LogStore, segment: Segment): Promise<number> {
  try {
    // An object that was emptied is a frame of no bytes.
    const frame = segment.bytes - (segment.lastFrame ?? segment.bytes);
    for (let bytes = frame || END_BYTES; ; bytes *= 4) {
      const from = Math.max(0, segment.bytes - bytes);
      const n = lastIn(await readFrom(store, segment, from));
      if (n !== null || from === 0) return n ?? 0;
    }
  } catch (error) {
    if (error instanceof GoneError) return 0;
    throw error;
  }
}

async function readFrom(store: LogStore, segment: Segment, from: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const bytes of store.read(segment, END_BYTES, from, true)) chunks.push(Buffer.from(bytes));
  return Buffer.concat(chunks);
}

/** Of the lines that are whole, the last one that is a record; the first may have been cut by where the reading began. */
function lastIn(bytes: Buffer): number | null {
  for (let end = bytes.lastIndexOf(10); end > 0;) {
    const start = bytes.lastIndexOf(10, end - 1) + 1;
    const line = bytes.subarray(start, end);
    if (isIntact(line)) return positionOf(line)?.n ?? null;
    end = start - 1;
  }
  return null;
}
