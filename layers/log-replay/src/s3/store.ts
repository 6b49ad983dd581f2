import { randomUUID } from "node:crypto";
import { LogDamageError, StoreMismatchError, StoreUnavailableError } from "../errors.ts";
import { beginName, claimName, digits, encodeBegin, encodeIdentity, epochIn, IDENTITY, parseBegin, parseIdentity } from "../store-format.ts";
import type { Begin, LogStore, Segment, SegmentWriter } from "../store.ts";
import { Bucket, type BucketOptions } from "./bucket.ts";
import type { Listed } from "./listing.ts";
import { readInOrder, S3SegmentWriter, segmentOf } from "./segment.ts";

export interface S3StoreOptions extends BucketOptions {
  /** What the keys of the store's objects begin with, for instance `order/`; a store's alone. */
  readonly prefix: string;
  /** The identity that the store must have. */
  readonly expectedId?: string;
}

/**
 * Makes a log store under `prefix`, unless there is one already.
 * @throws StoreUnavailableError; StoreMismatchError where the prefix holds something else
 */
export async function createS3Store({ prefix, ...options }: Omit<S3StoreOptions, "expectedId">): Promise<{ id: string }> {
  const bucket = new Bucket(options);
  const key = checked(prefix) + IDENTITY;
  // Listed before the identity is looked for: what another creator's first user adds comes after its identity.
  const others = await bucket.list(prefix);
  const present = await bucket.get(key);
  if (present !== null) return { id: parseIdentity(key, present.toString("utf8")) };
  if (others.length > 0) throw new StoreMismatchError(`${prefix} in ${options.bucket} is not empty and is no log store`);
  // Of two creators at once one wins, and both give its identity.
  await bucket.create(key, Buffer.from(encodeIdentity(randomUUID())));
  return { id: await readIdentity(bucket, options.bucket, key) };
}

/**
 * Opens the log store under `prefix`.
 * @throws StoreMismatchError where there is none, or not the expected one; StoreUnavailableError
 */
export async function openS3Store({ prefix, expectedId, ...options }: S3StoreOptions): Promise<LogStore> {
  const bucket = new Bucket(options);
  const id = await readIdentity(bucket, options.bucket, checked(prefix) + IDENTITY);
  if (expectedId !== undefined && id !== expectedId) {
    throw new StoreMismatchError(`${prefix} in ${options.bucket} is log store ${id}, expected was ${expectedId}`);
  }
  return new S3Store(bucket, prefix, id);
}

/**
 * A log in a bucket, under names as in a folder: `store.json`, `claim-E`, `begin-E.json`, and a segment's frames as
 * `segment-E-WRITER-K/N.jsonl`. Every object is created once and never written again. S3 has stored an object durably
 * before it answers, and every later request, a listing too, finds it.
 */
class S3Store implements LogStore {
  readonly id: string;
  readonly #bucket: Bucket;
  readonly #prefix: string;
  /** Names what this store writes: two stores opened by one process are two writers. */
  readonly #writer = randomUUID();
  #segments = 0;
  /** They never change: each is fetched once. */
  readonly #begins = new Map<number, Begin>();
  /** What a segment consisted of when it was listed. */
  readonly #listed = new WeakMap<Segment, readonly Listed[]>();

  constructor(bucket: Bucket, prefix: string, id: string) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.id = id;
  }

  claim(epoch: number): Promise<boolean> {
    // Nobody else, and no other call, writes these bytes: who finds them there has won.
    const token = JSON.stringify({ by: this.#writer, claim: randomUUID() });
    return this.#bucket.create(this.#prefix + claimName(epoch), Buffer.from(`${token}\n`));
  }

  async claims(): Promise<number[]> {
    const names = await this.#names("claim-");
    return names.map((name) => epochIn("claim", name)).filter((epoch) => epoch !== undefined).sort((a, b) => a - b);
  }

  async isSealed(epoch: number): Promise<boolean> {
    const [next, own] = await Promise.all([epoch + 1, epoch].map((each) => this.#bucket.has(this.#prefix + claimName(each))));
    if (next !== true && own !== true) throw new StoreUnavailableError(`the claim on epoch ${epoch} is gone from ${this.#prefix}`);
    return next === true;
  }

  async writeBegin(epoch: number, begin: Begin): Promise<void> {
    const key = this.#prefix + beginName(epoch);
    if (!(await this.#bucket.create(key, Buffer.from(encodeBegin(begin))))) throw new LogDamageError(key, 0, "another beginning of the epoch is there already");
  }

  async begins(): Promise<Map<number, Begin>> {
    const epochs = (await this.#names("begin-")).map((name) => epochIn("begin", name)).filter((epoch) => epoch !== undefined);
    const begins = await Promise.all(epochs.map(async (epoch) => [epoch, await this.#begin(epoch)] as const));
    return new Map(begins.sort(([a], [b]) => a - b));
  }

  createSegment(epoch: number): SegmentWriter {
    const name = `segment-${digits(epoch)}-${this.#writer}-${++this.#segments}`;
    return new S3SegmentWriter(this.#bucket, this.#prefix + name);
  }

  async segments(epoch: number): Promise<Segment[]> {
    const frames = new Map<string, Listed[]>();
    for (const object of await this.#bucket.list(`${this.#prefix}segment-${digits(epoch)}-`)) {
      const name = segmentOf(object.key.slice(this.#prefix.length));
      if (name === undefined) continue;
      const objects = frames.get(name);
      if (objects === undefined) frames.set(name, [object]);
      else objects.push(object);
    }
    return [...frames].map(([name, objects]) => {
      const segment: Segment = { epoch, name };
      this.#listed.set(segment, objects);
      return segment;
    });
  }

  async *read(segment: Segment, chunk: number): AsyncGenerator<Buffer> {
    // The listing that found the segment saves one for each of them; a frame that came later is read by whoever lists later.
    const objects = this.#listed.get(segment) ?? (await this.#bucket.list(`${this.#prefix}${segment.name}/`));
    for await (const content of readInOrder(this.#bucket, objects, chunk)) {
      for (let at = 0; at < content.length; at += chunk) yield content.subarray(at, at + chunk);
    }
  }

  /** There is nothing to sync: what was read was durable before it could be read. Only that it is still there is looked at. */
  async sync(): Promise<void> {
    if (!(await this.#bucket.has(this.#prefix + IDENTITY))) throw new StoreUnavailableError(`${this.#prefix}${IDENTITY} is gone`);
  }

  /** A frame is never torn, so there is nothing that has to be cut. */
  async cut(): Promise<null> {
    return null;
  }

  async #names(kind: string): Promise<string[]> {
    return (await this.#bucket.list(this.#prefix + kind)).map(({ key }) => key.slice(this.#prefix.length));
  }

  async #begin(epoch: number): Promise<Begin> {
    const known = this.#begins.get(epoch);
    if (known !== undefined) return known;
    const key = this.#prefix + beginName(epoch);
    const content = await this.#bucket.get(key);
    if (content === null) throw new StoreUnavailableError(`${key} is gone`);
    const begin = parseBegin(key, content.toString("utf8"));
    this.#begins.set(epoch, begin);
    return begin;
  }
}

async function readIdentity(bucket: Bucket, name: string, key: string): Promise<string> {
  const content = await bucket.get(key);
  if (content === null) throw new StoreMismatchError(`bucket ${name} holds no log store: it has no ${key}`);
  return parseIdentity(key, content.toString("utf8"));
}

/** Keys are signed and sent as they are: only characters that need no encoding. */
function checked(prefix: string): string {
  if (!/^[A-Za-z0-9_/-]*\/$/.test(prefix) || prefix.startsWith("/") || prefix.includes("//")) {
    throw new TypeError("prefix must be letters, digits, _, - and single slashes, and end with a slash");
  }
  return prefix;
}
