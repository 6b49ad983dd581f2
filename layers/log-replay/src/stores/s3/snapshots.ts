import { randomUUID } from "node:crypto";
import { GoneError, LogDamageError } from "../../errors.ts";
import type { Position } from "../../format/record.ts";
import type { Snapshot } from "../store.ts";
import type { Bucket } from "./bucket.ts";
import { readInOrder } from "./read-in-order.ts";

/** Bytes of one object; an installation holds as many in memory. */
const PART_BYTES = 4 * 1024 * 1024;

interface Part {
  readonly name: string;
  readonly bytes: number;
}

/**
 * The snapshots of a store in S3: parts `snapshot-E-N/INSTALLATION/K.jsonl`, and the manifest `snapshot-E-N.json`,
 * which names them in order. The manifest is created last, and by one installation alone: with it the snapshot is
 * there, without it nothing is.
 */
export class S3Snapshots {
  readonly #bucket: Bucket;
  readonly #prefix: string;

  constructor(bucket: Bucket, prefix: string) {
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async newest(): Promise<Snapshot | null> {
    const manifests = (await this.#names()).map(snapshotIn).filter((snapshot) => snapshot !== null);
    const newest = manifests.sort((a, b) => a.n - b.n || a.epoch - b.epoch).at(-1);
    if (newest === undefined) return null;
    const parts = (await this.#parts(newest.name)) ?? [];
    return { ...newest, bytes: parts.reduce((sum, part) => sum + part.bytes, 0) };
  }

  async install(at: Position, content: AsyncIterable<Buffer>): Promise<boolean> {
    if (((await this.newest())?.n ?? -1) >= at.n) return false;
    const installation = `${stem(at)}/${randomUUID()}`;
    const parts: Part[] = [];
    try {
      for await (const part of inParts(content)) {
        const name = `${installation}/${String(parts.length + 1).padStart(6, "0")}.jsonl`;
        parts.push({ name, bytes: part.length });
        await this.#bucket.create(this.#prefix + name, part);
      }
    } catch (error) {
      await this.#delete(parts.map(({ name }) => name)).catch(() => undefined);
      throw error;
    }
    // An error from here on leaves the parts, because the manifest may have been created although its answer was lost.
    const won = await this.#bucket.create(
      `${this.#prefix}${stem(at)}.json`,
      Buffer.from(`${JSON.stringify({ parts })}\n`),
    );
    if (!won) await this.#delete(parts.map(({ name }) => name));
    return won;
  }

  async *read({ name }: Snapshot, chunk: number): AsyncGenerator<Buffer> {
    const parts = await this.#parts(name);
    if (parts === null) throw new GoneError(`${name} is no longer there`);
    yield* readInOrder(
      this.#bucket,
      parts.map((part) => ({ key: this.#prefix + part.name, size: part.bytes })),
      chunk,
    );
  }

  /** Manifests first, so that a snapshot that is half removed is none. */
  async removeBefore({ n, name }: Snapshot): Promise<void> {
    const own = new Set([name, ...((await this.#parts(name)) ?? []).map((part) => part.name)]);
    const old = (await this.#names()).filter((found) => !own.has(found) && (commitIn(found) ?? Infinity) <= n);
    await this.#delete(old.filter((found) => snapshotIn(found) !== null));
    await this.#delete(old.filter((found) => snapshotIn(found) === null));
  }

  async #parts(manifest: string): Promise<readonly Part[] | null> {
    const content = await this.#bucket.get(this.#prefix + manifest);
    if (content === null) return null;
    try {
      return (JSON.parse(content.toString("utf8")) as { parts: readonly Part[] }).parts;
    } catch {
      throw new LogDamageError(manifest, 1, "does not say what the snapshot consists of");
    }
  }

  async #names(): Promise<string[]> {
    return (await this.#bucket.list(`${this.#prefix}snapshot-`)).map(({ key }) => key.slice(this.#prefix.length));
  }

  #delete(names: readonly string[]): Promise<void> {
    return this.#bucket.delete(names.map((name) => this.#prefix + name));
  }
}

const stem = ({ epoch, n }: Position): string =>
  `snapshot-${String(epoch).padStart(8, "0")}-${String(n).padStart(16, "0")}`;

/** The snapshot whose manifest has this name; null if it is not the name of a manifest. */
function snapshotIn(name: string): Omit<Snapshot, "bytes"> | null {
  const [, epoch, n] = /^snapshot-(\d{8,})-(\d{16})\.json$/.exec(name) ?? [];
  return n === undefined ? null : { epoch: Number(epoch), n: Number(n), name };
}

/** The commit that a manifest or a part belongs to. */
function commitIn(name: string): number | null {
  const n = /^snapshot-\d{8,}-(\d{16})(?:\.json$|\/)/.exec(name)?.[1];
  return n === undefined ? null : Number(n);
}

async function* inParts(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of content) {
    // A copy, because the source may use its buffer again for the next piece.
    held.push(Buffer.from(piece));
    bytes += piece.length;
    if (bytes < PART_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
