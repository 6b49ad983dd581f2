import { StoreUnavailableError } from "../../errors.ts";
import type { SegmentWriter } from "../store.ts";
import type { Bucket } from "./bucket.ts";

/** The n-th frame of a segment, from 1; the names sort in the order of the frames. */
export const frameName = (segment: string, n: number): string => `${segment}/${String(n).padStart(10, "0")}.jsonl`;

/** The segment that a frame's name belongs to; undefined if it is not the name of a frame. */
export function segmentOf(name: string): string | undefined {
  return /^(segment-[^/]+)\/\d{10}\.jsonl$/.exec(name)?.[1];
}

/**
 * A segment is a series of objects, one for each frame. An object is there whole or not at all, so no frame is ever
 * torn.
 */
export class S3SegmentWriter implements SegmentWriter {
  readonly #bucket: Bucket;
  readonly #keyOf: (count: number) => string;
  #count = 1;
  #frames = 0;
  #size = 0;

  /** @param keyOf gives what the keys of the writer's first, second, … segment begin with, counted from 1 */
  constructor(bucket: Bucket, keyOf: (count: number) => string) {
    this.#bucket = bucket;
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#size;
  }

  async append(frame: Buffer): Promise<void> {
    const key = frameName(this.#keyOf(this.#count), ++this.#frames);
    if (!(await this.#bucket.create(key, frame)))
      throw new StoreUnavailableError(`${key} is there, and somebody else's`);
    this.#size += frame.length;
  }

  async roll(): Promise<void> {
    this.#count++;
    this.#frames = 0;
    this.#size = 0;
  }

  async close(): Promise<void> {
    // Nothing is held: each frame is an object of its own.
  }
}
