import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, open, readdir, readFile, rename, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, exists, guard, makeFolder, syncFolder, syncPath, writeDurably } from "./durable-files.ts";
import { LogDamageError, StoreMismatchError, StoreUnavailableError } from "./errors.ts";
import { FileSegmentWriter } from "./file-segment.ts";
import { raise, type OnDamage } from "./frame.ts";
import type { Begin, Durability, RepairableStore, Segment, SegmentWriter } from "./store.ts";
import { isGone, ownIdentity } from "./writer-identity.ts";

export interface FileStoreOptions {
  readonly folder: string;
  /** Default "always". */
  readonly durability?: Durability;
  /** The identity that the folder must have. */
  readonly expectedId?: string;
}

const IDENTITY = "store.json";

/**
 * Makes `folder` a log store, durably, unless it is one already.
 * @throws StoreUnavailableError; StoreMismatchError where the folder holds something else
 */
export async function createFileStore(folder: string): Promise<{ id: string }> {
  return guard(`creating ${folder}`, async () => {
    await makeFolder(folder);
    // Listed before the identity is looked for: what another creator's first user adds comes after its identity.
    const others = (await readdir(folder)).filter((name) => !name.startsWith(`${IDENTITY}.`));
    const present = await readIdentity(folder);
    if (present !== null) return { id: present };
    if (others.length > 0) throw new StoreMismatchError(`${folder} is not empty and is no log store`);
    const id = randomUUID();
    const draft = join(folder, `${IDENTITY}.${id}`);
    await writeDurably(draft, `${JSON.stringify({ id, created: new Date().toISOString() })}\n`);
    // A link fails where the name exists: of two creators at once one wins, and both give its identity.
    await link(draft, join(folder, IDENTITY)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await unlink(draft);
    await syncFolder(folder);
    return { id: (await readIdentity(folder)) ?? id };
  });
}

/**
 * Opens the log store in `folder`.
 * @throws StoreMismatchError where the folder is no store, or not the expected one
 */
export async function openFileStore({ folder, durability = "always", expectedId }: FileStoreOptions): Promise<RepairableStore> {
  const id = await guard(`opening ${folder}`, () => readIdentity(folder));
  if (id === null) throw new StoreMismatchError(`${folder} is no log store: it has no ${IDENTITY}`);
  if (expectedId !== undefined && id !== expectedId) {
    throw new StoreMismatchError(`${folder} is log store ${id}, expected was ${expectedId}`);
  }
  return new FileStore(folder, id, durability);
}

/**
 * A log in a folder: `store.json`, `claim-E`, `begin-E.json`, `segment-E-WRITER-K.jsonl`, with E in eight digits.
 * Whatever is created is synced, and its folder, before anybody relies on it.
 */
class FileStore implements RepairableStore {
  readonly id: string;
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #writer = ownIdentity();
  /** Two stores opened by one process are two writers. */
  readonly #nonce = randomUUID().slice(0, 8);
  #segments = 0;

  constructor(folder: string, id: string, durability: Durability) {
    this.#folder = folder;
    this.id = id;
    this.#durability = durability;
  }

  claim(epoch: number): Promise<boolean> {
    return guard("claiming an epoch", async () => {
      let file;
      try {
        file = await open(this.#path(claimName(epoch)), "wx");
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw error;
      }
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(this.#folder);
      return true;
    });
  }

  claims(): Promise<number[]> {
    return guard("listing the claims", async () => {
      const claimed = (await readdir(this.#folder)).map((name) => /^claim-(\d{8,})$/.exec(name)?.[1]);
      return claimed.filter((epoch) => epoch !== undefined).map(Number).sort((a, b) => a - b);
    });
  }

  isSealed(epoch: number): Promise<boolean> {
    return guard("looking for a claim", () => {
      if (exists(this.#path(claimName(epoch + 1)))) return true;
      if (!exists(this.#path(claimName(epoch)))) {
        throw new StoreUnavailableError(`the claim on epoch ${epoch} is gone from ${this.#folder}`);
      }
      return false;
    });
  }

  writeBegin(epoch: number, begin: Begin): Promise<void> {
    return guard("beginning an epoch", async () => {
      const path = this.#path(beginName(epoch));
      const draft = `${path}.${randomUUID()}`;
      await writeDurably(draft, `${JSON.stringify(begin)}\n`);
      await rename(draft, path);
      await syncFolder(this.#folder);
    });
  }

  begins(onDamage: OnDamage = raise): Promise<Map<number, Begin>> {
    return guard("reading how the epochs begin", async () => {
      const begins = new Map<number, Begin>();
      for (const name of (await readdir(this.#folder)).sort()) {
        const epoch = /^begin-(\d{8,})\.json$/.exec(name)?.[1];
        if (epoch === undefined) continue;
        const begin = parseBegin(await readFile(this.#path(name), "utf8"));
        if (begin === null) onDamage(new LogDamageError(this.#path(name), 1, "does not say how the epoch begins"));
        else begins.set(Number(epoch), begin);
      }
      return begins;
    });
  }

  createSegment(epoch: number): SegmentWriter {
    const { where, pid, start } = this.#writer;
    const name = `segment-${digits(epoch)}-${where}-${pid}-${start}-${this.#nonce}-${++this.#segments}.jsonl`;
    return new FileSegmentWriter(this.#path(name), this.#durability);
  }

  segments(epoch: number): Promise<Segment[]> {
    return guard("listing the segments", async () => {
      const prefix = `segment-${digits(epoch)}-`;
      const names = (await readdir(this.#folder)).filter((name) => name.startsWith(prefix) && name.endsWith(".jsonl"));
      return names.sort().map((name) => ({ epoch, name }));
    });
  }

  async *read(segment: Segment, chunk: number, from = 0): AsyncGenerator<Buffer> {
    const file = await guard(`opening ${segment.name}`, () => open(this.#path(segment.name), "r"));
    try {
      const buffer = Buffer.allocUnsafe(chunk);
      for (let at = from; ; ) {
        const { bytesRead } = await guard(`reading ${segment.name}`, () => file.read(buffer, 0, chunk, at));
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  sync(segments: readonly Segment[]): Promise<void> {
    return guard("syncing what was read", async () => {
      for (const segment of segments) await syncPath(this.#path(segment.name));
      await syncFolder(this.#folder);
    });
  }

  cut(segment: Segment, length: number): Promise<string | null> {
    return guard(`cutting ${segment.name}`, async () => {
      const [where, pid, start] = segment.name.split("-").slice(2);
      if (where === undefined || start === undefined || !isGone({ where, pid: Number(pid), start })) return null;
      const copy = `${segment.name}.torn-${randomUUID().slice(0, 8)}`;
      await copyFile(this.#path(segment.name), this.#path(copy), constants.COPYFILE_EXCL);
      await syncPath(this.#path(copy));
      await syncFolder(this.#folder);
      await truncate(this.#path(segment.name), length);
      await syncPath(this.#path(segment.name));
      return copy;
    });
  }

  setAside(segment: Segment): Promise<string> {
    return guard(`setting ${segment.name} aside`, async () => {
      const copy = `${segment.name}.damaged-${randomUUID().slice(0, 8)}`;
      await rename(this.#path(segment.name), this.#path(copy));
      await syncFolder(this.#folder);
      return copy;
    });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

const digits = (epoch: number): string => String(epoch).padStart(8, "0");
const claimName = (epoch: number): string => `claim-${digits(epoch)}`;
const beginName = (epoch: number): string => `begin-${digits(epoch)}.json`;

async function readIdentity(folder: string): Promise<string | null> {
  try {
    const { id } = JSON.parse(await readFile(join(folder, IDENTITY), "utf8")) as { id?: unknown };
    if (typeof id !== "string") throw new StoreMismatchError(`${join(folder, IDENTITY)} names no id`);
    return id;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    if (error instanceof SyntaxError) throw new StoreMismatchError(`${join(folder, IDENTITY)} is not JSON`);
    throw error;
  }
}

function parseBegin(text: string): Begin | null {
  try {
    const { parent, cut } = JSON.parse(text) as Partial<Begin>;
    return Number.isSafeInteger(parent) && Number.isSafeInteger(cut) ? { parent: parent as number, cut: cut as number } : null;
  } catch {
    return null;
  }
}
