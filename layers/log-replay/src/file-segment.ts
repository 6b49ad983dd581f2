import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { guard, syncFolder } from "./durable-files.ts";
import type { Durability, SegmentWriter } from "./store.ts";

/** Appends frames to files that nobody else writes to: one, and after each `roll` the next. */
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
      const file = (this.#file ??= await open(path, "ax"));
      // A write may take only a part (a full disk, a signal); the rest follows or fails by itself.
      for (let written = 0; written < frame.length; ) {
        written += (await file.write(frame, written)).bytesWritten;
      }
      if (this.#durability === "always") await file.datasync();
      // The first frame brings the file's name into being: without it in the folder the frame could not be found again.
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
