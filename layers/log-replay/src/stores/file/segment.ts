import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { open, readdir, type FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { orUnavailable, syncFolder, writeAtOnce } from "./durable-files.ts";
import { StoreUnavailableError } from "../../errors.ts";
import { failPoint } from "../../fail-points.ts";
import { closeFrame, withoutTrailer } from "../../format/frame.ts";
import { isIntact } from "../../format/record.ts";
import type { Durability, SegmentWriter } from "../store.ts";

const DAMAGED = ".damaged-";
const NEWLINE = 10;

/** What a damaged segment is called once a repair has replaced it. */
export const nameAside = (name: string): string => `${name}${DAMAGED}${randomUUID().slice(0, 8)}`;

/** Appends frames to files that nobody else writes to: to one file, and after each `roll` to the next. */
export class FileSegmentWriter implements SegmentWriter {
  readonly #pathOf: (count: number) => string;
  readonly #durability: Durability;
  #file: FileHandle | undefined;
  #count = 1;
  #size = 0;
  #inode = 0;

  /** @param pathOf gives the path of the writer's first, second, … segment, counted from 1 */
  constructor(pathOf: (count: number) => string, durability: Durability) {
    this.#pathOf = pathOf;
    this.#durability = durability;
  }

  get size(): number {
    return this.#size;
  }

  append(frame: Buffer): Promise<void> {
    const path = this.#pathOf(this.#count);
    return orUnavailable(`appending to ${path}`, async () => {
      await failPoint("append.before");
      const file = (this.#file ??= await this.#create(path));
      writeAtOnce(file, frame);
      await failPoint("append.written");
      if (this.#durability === "always") await file.datasync();
      await failPoint("append.synced");
      // The first frame creates the file. Unless its name is durable in the folder, the frame could not be found again.
      if (this.#size === 0) await syncFolder(dirname(path));
      this.#size += frame.length;
      await this.#assertInPlace(path, file);
    });
  }

  verify(): Promise<void> {
    const path = this.#pathOf(this.#count);
    return orUnavailable(`looking at ${path}`, async () => {
      if (this.#file !== undefined && this.#size > 0) await this.#assertInPlace(path, this.#file);
    });
  }

  async roll(): Promise<void> {
    await this.close();
    this.#count++;
    this.#size = 0;
  }

  async #create(path: string): Promise<FileHandle> {
    const file = await open(path, "ax+");
    this.#inode = (await file.stat()).ino;
    return file;
  }

  /**
   * Whoever moves, removes or compresses the file leaves its writer with one that no reader finds. What is in it can still be
   * read here: it is written again, in the next segment, for the restore that follows. What was truncated is gone. Of a file that
   * a repair has set aside, the lines that are whole are written again: the damage must not come back, and what was appended while
   * the repair was under way must not be lost.
   */
  async #assertInPlace(path: string, file: FileHandle): Promise<void> {
    const found = fs.statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && found.ino === this.#inode && found.size >= this.#size) return;
    if (found === undefined || found.ino !== this.#inode) await this.#writeAgain(file);
    throw new StoreUnavailableError(
      `${path} was ${found === undefined ? "taken away" : "replaced or truncated"} while it was in use`,
    );
  }

  async #writeAgain(file: FileHandle): Promise<void> {
    const bytes = Buffer.alloc(this.#size);
    const { bytesRead } = await file.read(bytes, 0, this.#size, 0);
    const lines = (await isSetAside(this.#pathOf(this.#count))) ? wholeLines(bytes.subarray(0, bytesRead)) : null;
    if (lines?.length === 0) return;
    const path = this.#pathOf(this.#count + 1);
    const copy = await open(path, "ax");
    try {
      writeAtOnce(copy, lines === null ? bytes.subarray(0, bytesRead) : closeFrame(lines));
      await copy.datasync();
    } finally {
      await copy.close();
    }
    await syncFolder(dirname(path));
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

async function isSetAside(path: string): Promise<boolean> {
  return (await readdir(dirname(path))).some((name) => name.startsWith(`${basename(path)}${DAMAGED}`));
}

function wholeLines(bytes: Buffer): string[] {
  const lines: string[] = [];
  let from = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
    const line = bytes.subarray(from, end);
    if (isIntact(line)) lines.push(withoutTrailer(line));
    from = end + 1;
  }
  return lines;
}
