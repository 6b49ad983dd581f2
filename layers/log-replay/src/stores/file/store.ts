import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, open, readdir, readFile, rename, rm, truncate, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { encodeBegin, parseBegin } from "../begin-text.ts";
import {
  codeOf,
  exists,
  orUnavailable,
  makeFolder,
  look,
  moveDurably,
  syncFolder,
  syncPath,
  writeDurably,
  writeFully,
} from "./durable-files.ts";
import { GoneError, LogDamageError, StoreMismatchError, StoreUnavailableError } from "../../errors.ts";
import { failPoint } from "../../fail-points.ts";
import { readIdentity } from "./identity.ts";
import { IDENTITY } from "../identity-text.ts";
import { beginName, claimName, isWriterGone, lastOf, segmentPrefix, writerName } from "../names.ts";
import { FileSegmentWriter, nameAside } from "./segment.ts";
import { FileSnapshots } from "./snapshots.ts";
import { raise, type OnDamage } from "../../format/frame.ts";
import type { Position } from "../../format/record.ts";
import type { Begin, Durability, LastFrame, RepairableStore, Segment, SegmentWriter, Snapshot } from "../store.ts";
import { ownIdentity } from "../writer-identity.ts";

/**
 * Which folder, and how firmly a frame is in it.
 *
 * @example
 * const options: FileStoreOptions = { folder: "seats-log", durability: "os" };
 */
export interface FileStoreOptions {
  readonly folder: string;
  /** Default "always". */
  readonly durability?: Durability;
  /** The identity that the folder must have. */
  readonly expectedId?: string;
}

/** The folder, in the store's own, of the segments that are folded into a snapshot. */
const ARCHIVE = "archive";

/** The names of all that this store makes, drafts and copies included. */
const KNOWN = [
  /^archive$/,
  /^store\.json(\..+)?$/,
  /^claim-\d{8,}$/,
  /^begin-\d{8,}\.json(\.[0-9a-f-]{36})?$/,
  /^segment-\d{8,}-.+\.jsonl(\.(torn|damaged)-[0-9a-f]{8}|\.moving-[0-9a-f-]{36})?$/,
  /^snapshot-\d{8,}-\d{16}\.jsonl(\.draft-.+)?$/,
];

const BEGIN = /^begin-(\d{8,})\.json$/;
const BEGINS_AT_ONCE = 64;
const epochOf = (begin: string): number => Number(BEGIN.exec(begin)?.[1]);

/**
 * Opens the log store in `folder`.
 * @throws StoreMismatchError if the folder is no store, or not the expected one
 *
 * @example
 * const log = await openFileStore({ folder: "seats-log" });
 * const seats = new LoggedRedis({ url, store: log });
 */
export async function openFileStore({
  folder,
  durability = "always",
  expectedId,
}: FileStoreOptions): Promise<RepairableStore> {
  const id = await orUnavailable(`opening ${folder}`, () => readIdentity(folder));
  if (id === null) throw new StoreMismatchError(`${folder} is no log store: it has no ${IDENTITY}`);
  if (expectedId !== undefined && id !== expectedId) {
    throw new StoreMismatchError(`${folder} is log store ${id}, expected was ${expectedId}`);
  }
  return new FileStore(folder, id, durability);
}

/**
 * A log in a folder: `store.json`, `claim-E`, `begin-E.json`, `segment-E-WRITER-K.jsonl`, with E in eight digits.
 * Whatever is created is synced, and so is its folder, before anybody relies on it.
 */
class FileStore implements RepairableStore {
  readonly id: string;
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #writer = ownIdentity();
  readonly #snapshots: FileSnapshots;
  /** They never change: each is read once. */
  readonly #begins = new Map<number, Begin>();

  constructor(folder: string, id: string, durability: Durability) {
    this.#folder = folder;
    this.id = id;
    this.#durability = durability;
    this.#snapshots = new FileSnapshots(folder);
  }

  claim(epoch: number): Promise<boolean> {
    return orUnavailable("claiming an epoch", async () => {
      await failPoint("claim.before");
      try {
        await (await open(this.#path(claimName(epoch)), "wx")).close();
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw error;
      }
      await failPoint("claim.created");
      // The name is all there is to a claim.
      await syncFolder(this.#folder);
      await failPoint("claim.after");
      return true;
    });
  }

  claims(): Promise<number[]> {
    return orUnavailable("listing the claims", async () => {
      const claimed = (await readdir(this.#folder)).map((name) => /^claim-(\d{8,})$/.exec(name)?.[1]);
      return claimed
        .filter((epoch) => epoch !== undefined)
        .map(Number)
        .sort((a, b) => a - b);
    });
  }

  isSealed(epoch: number): Promise<boolean> {
    return orUnavailable("looking for a claim", () => {
      if (exists(this.#path(claimName(epoch + 1)))) return true;
      if (!exists(this.#path(claimName(epoch)))) {
        throw new StoreUnavailableError(`the claim on epoch ${epoch} is gone from ${this.#folder}`);
      }
      return false;
    });
  }

  writeBegin(epoch: number, begin: Begin): Promise<void> {
    return orUnavailable("beginning an epoch", async () => {
      const path = this.#path(beginName(epoch));
      const draft = `${path}.${randomUUID()}`;
      await failPoint("begin.before");
      await writeDurably(draft, encodeBegin(begin));
      await failPoint("begin.written");
      await rename(draft, path);
      await failPoint("begin.renamed");
      await syncFolder(this.#folder);
      await failPoint("begin.after");
    });
  }

  begin(epoch: number): Promise<Begin | undefined> {
    return orUnavailable(
      "reading how an epoch begins",
      async () => (await this.#begin(beginName(epoch), raise)) ?? undefined,
    );
  }

  begins(onDamage: OnDamage = raise): Promise<Map<number, Begin>> {
    return orUnavailable("reading how the epochs begin", async () => {
      const begins = new Map<number, Begin>();
      const names = (await readdir(this.#folder)).filter((name) => BEGIN.test(name)).sort();
      for (let from = 0; from < names.length; from += BEGINS_AT_ONCE) {
        const some = names.slice(from, from + BEGINS_AT_ONCE);
        const found = await Promise.all(some.map((name) => this.#begin(name, onDamage)));
        // Somebody has removed what was passed over: the one that passed it over is to be seen by now.
        if (found.includes(undefined)) return await this.begins(onDamage);
        found.forEach((begin, i) => begin && begins.set(epochOf(some[i] as string), begin));
      }
      return begins;
    });
  }

  forgetEpochs(epochs: readonly number[], highest: number): Promise<void> {
    return orUnavailable("forgetting epochs that were passed over", async () => {
      for (const epoch of epochs) await rm(this.#path(beginName(epoch)), { force: true });
      // In this order, and each is gone before the next one goes: who looks for the claim above one that is there finds it.
      for (const epoch of await this.claims())
        if (epoch < highest) await rm(this.#path(claimName(epoch)), { force: true });
    });
  }

  createSegment(epoch: number): SegmentWriter {
    const writer = writerName(epoch, this.#writer, randomUUID().slice(0, 8));
    return new FileSegmentWriter((count) => this.#path(`${writer}-${count}.jsonl`), this.#durability);
  }

  segments(epoch?: number): Promise<Segment[]> {
    return orUnavailable("listing the segments", () => this.#list(this.#folder, "", epoch));
  }

  archived(epoch?: number): Promise<Segment[]> {
    return orUnavailable("listing the archived segments", async () => {
      // The folder comes into being with the first segment in it.
      if (!exists(this.#path(ARCHIVE)) && exists(this.#path(IDENTITY))) return [];
      return await this.#list(this.#path(ARCHIVE), `${ARCHIVE}/`, epoch);
    });
  }

  read(segment: Segment, chunk: number, from = 0): AsyncGenerator<Buffer> {
    return this.#read(segment.name, chunk, from);
  }

  sync(frames: readonly LastFrame[]): Promise<void> {
    return orUnavailable("syncing what was read", async () => {
      await failPoint("sync.before");
      for (const frame of frames) await this.#writeAgain(frame);
      await syncFolder(this.#folder);
      await failPoint("sync.after");
    });
  }

  truncate(segment: Segment, length: number): Promise<string | null> {
    return orUnavailable(`truncating ${segment.name}`, async () => {
      if (!isWriterGone(segment.name) || !exists(this.#path(segment.name))) return null;
      await failPoint("truncate.before");
      const copy = `${segment.name}.torn-${randomUUID().slice(0, 8)}`;
      await copyFile(this.#path(segment.name), this.#path(copy), constants.COPYFILE_EXCL);
      await syncPath(this.#path(copy));
      await syncFolder(this.#folder);
      await failPoint("truncate.copied");
      // Not synced: a power loss that undoes it leaves a torn frame, which the next restore finds again.
      await truncate(this.#path(segment.name), length);
      await failPoint("truncate.after");
      return copy;
    });
  }

  setAside(segment: Segment): Promise<string> {
    return orUnavailable(`setting ${segment.name} aside`, async () => {
      const copy = nameAside(segment.name);
      await rename(this.#path(segment.name), this.#path(copy));
      await syncFolder(this.#folder);
      return copy;
    });
  }

  snapshot(): Promise<Snapshot | null> {
    return orUnavailable("looking for a snapshot", () => this.#snapshots.newest());
  }

  installSnapshot(at: Position, content: AsyncIterable<Buffer>): Promise<boolean> {
    return orUnavailable("installing a snapshot", () => this.#snapshots.install(at, content));
  }

  readSnapshot(snapshot: Snapshot, chunk: number): AsyncGenerator<Buffer> {
    return this.#read(snapshot.name, chunk, 0);
  }

  removeSnapshots(before: Snapshot): Promise<void> {
    return orUnavailable("removing snapshots", () => this.#snapshots.removeBefore(before));
  }

  archive(segments: readonly Segment[]): Promise<void> {
    return orUnavailable("archiving segments", async () => {
      if (segments.length === 0) return;
      // `makeFolder` alone would make an empty folder in the place of a store that was unmounted.
      if (!exists(this.#path(IDENTITY)))
        throw new StoreUnavailableError(`there is no log store in ${this.#folder} any more`);
      await makeFolder(this.#path(ARCHIVE));
      for (const { name } of segments) await moveDurably(this.#path(name), this.#path(join(ARCHIVE, name)));
      await syncFolder(this.#path(ARCHIVE));
      await syncFolder(this.#folder);
    });
  }

  strays(): Promise<string[]> {
    return orUnavailable("listing what is in the folder", async () => {
      const archived = exists(this.#path(ARCHIVE)) ? await readdir(this.#path(ARCHIVE)) : [];
      const names = [
        ...(await readdir(this.#folder)).map((name) => [name, name] as const),
        ...archived.map((name) => [name, `${ARCHIVE}/${name}`] as const),
      ];
      // Hidden files are those of file systems and of programs that copy: they come and go.
      return names
        .filter(([name]) => !name.startsWith(".") && !KNOWN.some((kind) => kind.test(name)))
        .map(([, path]) => path);
    });
  }

  async #list(folder: string, prefix: string, epoch: number | undefined): Promise<Segment[]> {
    const names = (await readdir(folder))
      .filter((name) => name.startsWith(segmentPrefix(epoch)) && name.endsWith(".jsonl"))
      .sort();
    const last = lastOf(names);
    return names.flatMap((name) => {
      const found = look(join(folder, name));
      // It was archived while this list was made.
      if (found === undefined) return [];
      const closed = prefix !== "" || !last.has(name) || isWriterGone(name);
      return [{ epoch: Number(name.split("-")[1]), name: `${prefix}${name}`, closed, ...found }];
    });
  }

  /** @returns null where it is damaged, undefined where it is no longer there */
  async #begin(name: string, onDamage: OnDamage): Promise<Begin | null | undefined> {
    const known = this.#begins.get(epochOf(name));
    if (known !== undefined) return known;
    try {
      const begin = parseBegin(await readFile(this.#path(name), "utf8"), this.#path(name));
      if (begin === null) onDamage(new LogDamageError(this.#path(name), 1, "does not say how the epoch begins"));
      else this.#begins.set(epochOf(name), begin);
      return begin;
    } catch (error) {
      if (codeOf(error) === "ENOENT" && exists(this.#path(IDENTITY))) return undefined;
      throw error;
    }
  }

  async *#read(name: string, chunk: number, from: number): AsyncGenerator<Buffer> {
    const file = await orUnavailable(`opening ${name}`, () => this.#open(name, "r"));
    try {
      const buffer = Buffer.allocUnsafe(chunk);
      for (let at = from; ;) {
        const { bytesRead } = await orUnavailable(`reading ${name}`, () => file.read(buffer, 0, chunk, at));
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  /** In their place: the same bytes over the same bytes, so that the kernel takes them to be unwritten again. */
  async #writeAgain({ segment, offset, bytes }: LastFrame): Promise<void> {
    const file = await this.#open(segment.name, "r+");
    try {
      await writeFully(file, bytes, offset);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #open(name: string, flags: "r" | "r+"): Promise<FileHandle> {
    try {
      return await open(this.#path(name), flags);
    } catch (error) {
      if (codeOf(error) === "ENOENT" && exists(this.#path(IDENTITY)))
        throw new GoneError(`${name} is no longer there`, { cause: error });
      throw error;
    }
  }

  /** By hand: `join` costs as much as the look for a claim, which each group of reads takes. */
  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}
