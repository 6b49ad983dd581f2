import { StoreUnavailableError } from "../errors.ts";
import type { SegmentWriter } from "../store.ts";
import type { Bucket } from "./bucket.ts";
import type { Listed } from "./listing.ts";

/** Requests for frames that one reader has under way at most. */
const AHEAD = 32;

/** The n-th frame of a segment, from 1; the names sort in the order of the frames. */
export const frameName = (segment: string, n: number): string => `${segment}/${String(n).padStart(10, "0")}.jsonl`;

/** The segment that a frame's name belongs to; undefined where the name is none of a frame. */
export function segmentOf(name: string): string | undefined {
  return /^(segment-[^/]+)\/\d{10}\.jsonl$/.exec(name)?.[1];
}

/** A segment is a row of objects, one a frame. An object is there whole or not at all: no frame is ever torn. */
export class S3SegmentWriter implements SegmentWriter {
  readonly #bucket: Bucket;
  /** Key of the segment's objects, up to their number. */
  readonly #key: string;
  #frames = 0;
  #size = 0;

  constructor(bucket: Bucket, key: string) {
    this.#bucket = bucket;
    this.#key = key;
  }

  get size(): number {
    return this.#size;
  }

  async append(frame: Buffer): Promise<void> {
    const key = frameName(this.#key, ++this.#frames);
    if (!(await this.#bucket.create(key, frame))) throw new StoreUnavailableError(`${key} is there, and somebody else's`);
    this.#size += frame.length;
  }

  async close(): Promise<void> {
    // Nothing is held: each frame is an object of its own.
  }
}

/** The objects' contents in order, fetched ahead in parallel: as many at a time as fit into `budget` bytes, one at least. */
export async function* readInOrder(bucket: Bucket, objects: readonly Listed[], budget: number): AsyncGenerator<Buffer> {
  const underWay: { readonly content: Promise<Buffer>; readonly size: number }[] = [];
  let bytes = 0;
  let next = 0;
  for (let read = 0; read < objects.length; read++) {
    for (; next < objects.length && underWay.length < AHEAD; next++) {
      const { key, size } = objects[next] as Listed;
      if (underWay.length > 0 && bytes + size > budget) break;
      const content = fetch(bucket, key);
      // Told where it is waited for; a reader that stops early waits for none of them.
      content.catch(() => undefined);
      underWay.push({ content, size });
      bytes += size;
    }
    const { content, size } = underWay.shift() as (typeof underWay)[number];
    yield await content;
    bytes -= size;
  }
}

async function fetch(bucket: Bucket, key: string): Promise<Buffer> {
  const content = await bucket.get(key);
  if (content === null) throw new StoreUnavailableError(`${key} is gone`);
  return content;
}
