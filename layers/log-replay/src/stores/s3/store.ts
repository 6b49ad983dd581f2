import { randomUUID } from "node:crypto";
import { LogDamageError, StoreMismatchError, StoreUnavailableError } from "../../errors.ts";
import { encodeBegin, parseBegin } from "../begin-text.ts";
import { encodeIdentity, IDENTITY, parseIdentity } from "../identity-text.ts";
import { beginName, claimName, segmentPrefix } from "../names.ts";
import { raise, type OnDamage } from "../../format/frame.ts";
import type { Position } from "../../format/record.ts";
import type { Begin, LastFrame, RepairableStore, Segment, SegmentWriter, Snapshot } from "../store.ts";
import { Bucket, type BucketOptions } from "./bucket.ts";
import { S3SegmentWriter } from "./segment.ts";
import { S3Segments } from "./segments.ts";
import { S3Snapshots } from "./snapshots.ts";

/** What the names of objects begin with that a repair has replaced. */
const DAMAGED = "damaged/";

/**
 * Which part of which bucket.
 *
 * @example
 * const options: S3StoreOptions = { bucket: "logs", prefix: "seats/", region: "eu-central-1", expectedId: id };
 */
export interface S3StoreOptions extends BucketOptions {
  /** What the keys of the store's objects begin with, for instance `order/`. It is this store's alone. */
  readonly prefix: string;
  /** The identity that the store must have. */
  readonly expectedId?: string;
  /** Milliseconds for which a look for a claim counts for reads; all processes must have the same. Default 1,000. */
  readonly readLease?: number;
}

/**
 * Makes a log store under `prefix`, unless there is one already.
 * @param id the identity of a new one; given for a copy, which is to take the place of what it is a copy of
 * @throws StoreUnavailableError; StoreMismatchError where the prefix holds something else
 *
 * @example
 * await createS3Store({ bucket: "logs", prefix: "seats/", region: "eu-central-1" }); // once, where the program is set up
 */
export async function createS3Store(
  { prefix, ...options }: Omit<S3StoreOptions, "expectedId" | "readLease">,
  id: string = randomUUID(),
): Promise<{ id: string }> {
  const bucket = new Bucket(options);
  const key = checked(prefix) + IDENTITY;
  // The prefix is listed before the identity is looked for: what another creator's first user adds comes after its
  // identity.
  const others = await bucket.list(prefix);
  const present = await bucket.get(key);
  if (present !== null) return { id: parseIdentity(present.toString("utf8"), key) };
  if (others.length > 0)
    throw new StoreMismatchError(`${prefix} in ${options.bucket} is not empty and is no log store`);
  // Of two creators at once one wins, and both give its identity.
  await bucket.create(key, Buffer.from(encodeIdentity(id)));
  return { id: await readIdentity(bucket, options.bucket, key) };
}

/**
 * Opens the log store under `prefix`.
 * @throws StoreMismatchError if there is none, or not the expected one; StoreUnavailableError
 *
 * @example
 * const log = await openS3Store({ bucket: "logs", prefix: "seats/", region: "eu-central-1" });
 * const seats = new LoggedRedis({ url, store: log });
 */
export async function openS3Store({
  prefix,
  expectedId,
  readLease = 1_000,
  ...options
}: S3StoreOptions): Promise<RepairableStore> {
  const bucket = new Bucket(options);
  const id = await readIdentity(bucket, options.bucket, checked(prefix) + IDENTITY);
  if (expectedId !== undefined && id !== expectedId) {
    throw new StoreMismatchError(`${prefix} in ${options.bucket} is log store ${id}, expected was ${expectedId}`);
  }
  return new S3Store(bucket, prefix, id, readLease);
}

/**
 * A log in a bucket, under names as in a folder: `store.json`, `claim-E`, `begin-E.json`, a segment's frames as
 * `segment-E-WRITER-K/N.jsonl`, `snapshot-E-N.json` with its parts, and what is archived. Every object is created once
 * and never written again. S3 has stored an object durably before it answers, and every later request finds it, a
 * listing too.
 */
class S3Store implements RepairableStore {
  readonly id: string;
  readonly readLease: number;
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #segments: S3Segments;
  readonly #snapshots: S3Snapshots;
  /** They never change, so each is fetched once. */
  readonly #begins = new Map<number, Begin>();

  constructor(bucket: Bucket, prefix: string, id: string, readLease: number) {
    this.readLease = readLease;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.id = id;
    this.#segments = new S3Segments(bucket, prefix);
    this.#snapshots = new S3Snapshots(bucket, prefix);
  }

  claim(epoch: number): Promise<boolean> {
    // Nobody else, and no other call, writes these bytes, so whoever finds them there has won.
    return this.#bucket.create(
      this.#prefix + claimName(epoch),
      Buffer.from(`${JSON.stringify({ claim: randomUUID() })}\n`),
    );
  }

  async claims(): Promise<number[]> {
    return (await this.#epochs("claim-", /^claim-(\d{8,})$/)).sort((a, b) => a - b);
  }

  async isSealed(epoch: number): Promise<boolean> {
    const isClaimed = (each: number): Promise<boolean> => this.#bucket.has(this.#prefix + claimName(each));
    if (await isClaimed(epoch + 1)) return true;
    // Not at the same time: claims are forgotten from the lowest on. So the next one was not forgotten before it was looked for only
    // where the epoch's own is there after that, however long either request took.
    if (!(await isClaimed(epoch)))
      throw new StoreUnavailableError(`the claim on epoch ${epoch} is gone from ${this.#prefix}`);
    return false;
  }

  async writeBegin(epoch: number, begin: Begin): Promise<void> {
    const key = this.#prefix + beginName(epoch);
    const content = Buffer.from(encodeBegin(begin));
    if (await this.#bucket.create(key, content)) return;
    const present = await this.#bucket.get(key);
    if (present !== null && parseBegin(present.toString("utf8"), key) !== null)
      throw new LogDamageError(key, 0, "another beginning of the epoch is there already");
    // A repair: it was spoilt.
    if (present !== null)
      await this.#bucket.create(`${this.#prefix}${DAMAGED}${beginName(epoch)}-${randomUUID()}`, present);
    await this.#bucket.delete([key]);
    if (!(await this.#bucket.create(key, content)))
      throw new LogDamageError(key, 0, "another beginning of the epoch is there already");
  }

  async begin(epoch: number): Promise<Begin | undefined> {
    return (await this.#begin(epoch, raise)) ?? undefined;
  }

  async begins(onDamage: OnDamage = raise): Promise<Map<number, Begin>> {
    const epochs = await this.#epochs("begin-", /^begin-(\d{8,})\.json$/);
    const found = await Promise.all(epochs.map(async (epoch) => [epoch, await this.#begin(epoch, onDamage)] as const));
    // Somebody has removed what was passed over: the one that passed it over is to be seen by now.
    if (found.some(([, begin]) => begin === undefined)) return this.begins(onDamage);
    return new Map(
      found
        .flatMap(([epoch, begin]) => (begin === null || begin === undefined ? [] : [[epoch, begin] as const]))
        .sort(([a], [b]) => a - b),
    );
  }

  async forgetEpochs(epochs: readonly number[], highest: number): Promise<void> {
    await this.#bucket.delete(epochs.map((epoch) => this.#prefix + beginName(epoch)));
    const claims = (await this.claims()).filter((epoch) => epoch < highest);
    // S3 deletes the objects of one request in any order.
    for (const epoch of claims) await this.#bucket.delete([this.#prefix + claimName(epoch)]);
  }

  createSegment(epoch: number): SegmentWriter {
    const writer = `${this.#prefix}${segmentPrefix(epoch)}${randomUUID()}`;
    return new S3SegmentWriter(this.#bucket, (count) => `${writer}-${count}`);
  }

  segments(epoch?: number): Promise<Segment[]> {
    return this.#segments.list(epoch);
  }

  read(segment: Segment, chunk: number, from?: number, asListed?: boolean): AsyncGenerator<Buffer> {
    return this.#segments.read(segment, chunk, from, asListed);
  }

  /**
   * There is nothing to write again, because what was read was durable before it could be read. This only checks that
   * it is still there.
   */
  async sync(frames: readonly LastFrame[]): Promise<void> {
    if (!(await this.#bucket.has(this.#prefix + IDENTITY)))
      throw new StoreUnavailableError(`${this.#prefix}${IDENTITY} is gone`);
    await this.#segments.assertPresent(frames);
  }

  /** A frame is never torn, so there is nothing to truncate. */
  async truncate(): Promise<null> {
    return null;
  }

  snapshot(): Promise<Snapshot | null> {
    return this.#snapshots.newest();
  }

  installSnapshot(at: Position, content: AsyncIterable<Buffer>): Promise<boolean> {
    return this.#snapshots.install(at, content);
  }

  readSnapshot(snapshot: Snapshot, chunk: number): AsyncGenerator<Buffer> {
    return this.#snapshots.read(snapshot, chunk);
  }

  removeSnapshots(before: Snapshot): Promise<void> {
    return this.#snapshots.removeBefore(before);
  }

  async archive(segments: readonly Segment[]): Promise<void> {
    for (const segment of segments) await this.#segments.archive(segment);
  }

  archived(epoch?: number): Promise<Segment[]> {
    return this.#segments.archived(epoch);
  }

  setAside(segment: Segment): Promise<string> {
    return this.#segments.setAside(segment, `${DAMAGED}${segment.name}-${randomUUID().slice(0, 8)}`);
  }

  async #epochs(prefix: string, pattern: RegExp): Promise<number[]> {
    const names = (await this.#bucket.list(this.#prefix + prefix)).map(({ key }) => key.slice(this.#prefix.length));
    return names
      .map((name) => pattern.exec(name)?.[1])
      .filter((epoch) => epoch !== undefined)
      .map(Number);
  }

  /** @returns null where it is damaged, undefined where it is no longer there */
  async #begin(epoch: number, onDamage: OnDamage): Promise<Begin | null | undefined> {
    const known = this.#begins.get(epoch);
    if (known !== undefined) return known;
    const key = this.#prefix + beginName(epoch);
    const content = await this.#bucket.get(key);
    if (content === null) return undefined;
    const begin = parseBegin(content.toString("utf8"), key);
    if (begin === null) onDamage(new LogDamageError(key, 1, "does not say how the epoch begins"));
    else this.#begins.set(epoch, begin);
    return begin;
  }
}

async function readIdentity(bucket: Bucket, name: string, key: string): Promise<string> {
  const content = await bucket.get(key);
  if (content === null) throw new StoreMismatchError(`bucket ${name} holds no log store: it has no ${key}`);
  return parseIdentity(content.toString("utf8"), key);
}

/** Keys are signed and sent as they are: only characters that need no encoding. */
function checked(prefix: string): string {
  if (!/^[A-Za-z0-9_/-]*\/$/.test(prefix) || prefix.startsWith("/") || prefix.includes("//")) {
    throw new TypeError("prefix must be letters, digits, _, - and single slashes, and end with a slash");
  }
  return prefix;
}
