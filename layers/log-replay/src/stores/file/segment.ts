import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { guard, syncFolder, writeAtOnce } from "./durable-files.ts";
import { failPoint } from "../../fail-points.ts";
import type { Durability, SegmentWriter } from "../store.ts";

/** Appends frames to files that nobody else writes to: to one file, and after each `roll` to the next. */
export class FileSegmentWriter implements SegmentWriter {
  readonly #pathOf: (count: number) => string;
  readonly #durability: Durability;
  #file: FileHandle | undefined;
  #count = 1;
  #size = 0;

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
    return guard(`appending to ${path}`, async () => {
      await failPoint("append.before");
      const file = (this.#file ??= await open(path, "ax"));
      writeAtOnce(file, frame);
      await failPoint("append.written");
      if (this.#durability === "always") await file.datasync();
      await failPoint("append.synced");
      // The first frame creates the file. Unless its name is durable in the folder, the frame could not be found again.
      if (this.#size === 0) await syncFolder(dirname(path));
      this.#size += frame.length;
    });
  }

  async roll(): Promise<void> {
    await this.close();
    this.#count++;
    this.#size = 0;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
