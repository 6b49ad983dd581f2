import { createHash } from "node:crypto";
import { GoneError, StoreUnavailableError } from "../../errors.ts";
import { lastOf, segmentPrefix } from "../names.ts";
import type { LastFrame, Segment } from "../store.ts";
import type { Bucket } from "./bucket.ts";
import type { Listed } from "./listing.ts";
import { readInOrder } from "./read-in-order.ts";
import { segmentOf } from "./segment.ts";

const ARCHIVE = "archive/";

/** As many as S3 lists by one request. */
const LISTED_AT_ONCE = 1_000;

/** Bytes that are read at a time where a segment is put together for the archive. */
const CHUNK = 4 * 1024 * 1024;

/**
 * The segments of a store in S3 as readers see them: those of the log, with an object for each frame, and the archived
 * ones, an object each.
 */
export class S3Segments {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  /**
   * What a segment consisted of when it was listed. Whoever reads only its first part, or a closed one, lists nothing
   * again.
   */
  readonly #listed = new WeakMap<Segment, readonly Listed[]>();

  constructor(bucket: Bucket, prefix: string) {
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async list(epoch?: number): Promise<Segment[]> {
    const frames = new Map<string, Listed[]>();
    for (const object of await this.#bucket.list(this.#prefix + segmentPrefix(epoch))) {
      const name = segmentOf(this.#name(object));
      if (name === undefined) continue;
      const objects = frames.get(name);
      if (objects === undefined) frames.set(name, [object]);
      else objects.push(object);
    }
    // A writer may be anywhere, so nobody knows that it is gone, only that it went on to the next segment.
    const last = lastOf([...frames.keys()]);
    return [...frames].map(([name, objects]) => this.#segment(name, !last.has(name), objects, { frames: true }));
  }

  async archived(epoch?: number): Promise<Segment[]> {
    const objects = await this.#bucket.list(this.#prefix + ARCHIVE + segmentPrefix(epoch));
    return objects.map((object) => this.#segment(this.#name(object), true, [object], { frames: false }));
  }

  async *read(segment: Segment, chunk: number, from = 0, asListed = false): AsyncGenerator<Buffer> {
    const key = `${this.#prefix}${segment.name}/`;
    const objects = this.#listed.get(segment) ?? (await this.#bucket.list(key));
    if (objects.length === 0) throw new GoneError(`${segment.name} is no longer there`);
    const { content, from: left } = this.#readFrom(objects, chunk, from);
    yield* content;
    if (segment.closed || asListed) return;
    yield* this.#readFrom(await this.#bucket.list(key, objects.at(-1)?.key), chunk, left).content;
  }

  /** @throws GoneError where one of them is no longer there */
  async assertPresent(frames: readonly LastFrame[]): Promise<void> {
    const isPresent = await this.#whatIsPresent(frames.map(({ segment }) => segment));
    await Promise.all(
      frames.map(async ({ segment }) => {
        const key = this.#listed.get(segment)?.at(-1)?.key;
        if (key === undefined || !(await isPresent(key))) throw new GoneError(`${segment.name} is no longer there`);
      }),
    );
  }

  /** Asks for each object, or lists their epochs, whatever takes fewer requests. */
  async #whatIsPresent(segments: readonly Segment[]): Promise<(key: string) => boolean | Promise<boolean>> {
    const objects = segments.reduce((sum, segment) => sum + (this.#listed.get(segment)?.length ?? 0), 0);
    const epochs = [...new Set(segments.map(({ epoch }) => epoch))];
    if (segments.length <= epochs.length + objects / LISTED_AT_ONCE) return (key) => this.#bucket.has(key);
    const listed = await Promise.all(epochs.map((epoch) => this.#bucket.list(this.#prefix + segmentPrefix(epoch))));
    const present = new Set(listed.flat().map(({ key }) => key));
    return (key) => present.has(key);
  }

  /**
   * The frames become one object of the archive, and only then are deleted. Where that object is there already, as after an archiving
   * that broke off while it deleted, those that are not in it become a further one: a writer that was stopped in an append may
   * append its frame later than the rest was archived.
   */
  async archive({ name }: Segment): Promise<void> {
    const frames = await this.#bucket.list(`${this.#prefix}${name}/`);
    if (frames.length === 0) return;
    const key = `${this.#prefix}${ARCHIVE}${name}.jsonl`;
    try {
      const content = await this.#joined(frames);
      if (!(await this.#bucket.create(key, content)))
        await this.#archiveLate(name, notIn(await this.#bucket.get(key), frames, content));
    } catch (error) {
      // Somebody else is further with the same, and deletes them.
      if (!(error instanceof GoneError)) throw error;
      return;
    }
    await this.#bucket.delete(frames.map((frame) => frame.key));
  }

  /** Under a name that tells the content, so that two compactions at once make one object. */
  async #archiveLate(name: string, late: Buffer): Promise<void> {
    if (late.length === 0) return;
    const digest = createHash("sha256").update(late).digest("hex").slice(0, 16);
    const key = `${this.#prefix}${ARCHIVE}${name}-late-${digest}.jsonl`;
    if (!(await this.#bucket.create(key, late)))
      throw new StoreUnavailableError(`${key} is there, and does not have the frames that came late: they are kept`);
  }

  /**
   * Each frame under a name that no reader looks at, before it is deleted. What the writer has appended since the segment was
   * listed stays: nobody has read it, and it may have been answered for. @returns what these names begin with
   */
  async setAside(segment: Segment, aside: string): Promise<string> {
    const { name } = segment;
    const frames = this.#listed.get(segment) ?? (await this.#bucket.list(`${this.#prefix}${name}/`));
    for (const { key } of frames) {
      const content = await this.#bucket.get(key);
      if (content !== null)
        await this.#bucket.create(key.replace(`${this.#prefix}${name}`, this.#prefix + aside), content);
    }
    await this.#bucket.delete(frames.map(({ key }) => key));
    return aside;
  }

  async #joined(frames: readonly Listed[]): Promise<Buffer> {
    const content: Buffer[] = [];
    for await (const bytes of readInOrder(this.#bucket, frames, CHUNK)) content.push(Buffer.from(bytes));
    return Buffer.concat(content);
  }

  /** Without what is before `from`; objects that are wholly before it are not fetched. `from` of the result: what is left of that. */
  #readFrom(
    objects: readonly Listed[],
    chunk: number,
    from: number,
  ): { readonly content: AsyncIterable<Buffer>; readonly from: number } {
    let left = from;
    let first = 0;
    for (; first < objects.length && left >= (objects[first]?.size ?? 0); first++) left -= objects[first]?.size ?? 0;
    const content = readInOrder(this.#bucket, objects.slice(first), chunk);
    return first < objects.length ? { content: without(content, left), from: 0 } : { content, from: left };
  }

  /** @param frames whether each of the objects is a frame */
  #segment(
    name: string,
    closed: boolean,
    objects: readonly Listed[],
    { frames }: { readonly frames: boolean },
  ): Segment {
    const bytes = objects.reduce((sum, { size }) => sum + size, 0);
    const segment: Segment = {
      epoch: Number(/segment-(\d+)-/.exec(name)?.[1]),
      name,
      closed,
      bytes,
      ...(frames ? { lastFrame: bytes - (objects.at(-1)?.size ?? 0) } : {}),
      modified: objects.reduce((latest, { modified }) => (modified > latest ? modified : latest), 0),
    };
    this.#listed.set(segment, objects);
    return segment;
  }

  #name({ key }: Listed): string {
    return key.slice(this.#prefix.length);
  }
}

/** The frames that are not in what is archived. */
function notIn(archived: Buffer | null, frames: readonly Listed[], content: Buffer): Buffer {
  const late: Buffer[] = [];
  let from = 0;
  let after = 0;
  for (const { size } of frames) {
    const frame = content.subarray(from, from + size);
    const at = archived?.indexOf(frame, after) ?? -1;
    if (at < 0) late.push(frame);
    else after = at + size;
    from += size;
  }
  return Buffer.concat(late);
}

/** The chunks without their first `bytes`. */
async function* without(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    if (bytes < chunk.length) yield chunk.subarray(bytes);
    bytes = Math.max(0, bytes - chunk.length);
  }
}
