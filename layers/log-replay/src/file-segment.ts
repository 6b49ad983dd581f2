import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { guard, syncFolder } from "./durable-files.ts";
import { failPoint } from "./fail-points.ts";
import type { Durability, SegmentWriter } from "./store.ts";

/** Appends frames to one file that nobody else writes to. */
export class FileSegmentWriter implements SegmentWriter {
  readonly #path: string;
  readonly #durability: Durability;
  #file: FileHandle | undefined;
  #size = 0;

  constructor(path: string, durability: Durability) {
    this.#path = path;
    this.#durability = durability;
  }

  get size(): number {
    return this.#size;
  }

  append(frame: Buffer): Promise<void> {
    return guard(`appending to ${this.#path}`, async () => {
      await failPoint("append.before");
      const file = (this.#file ??= await open(this.#path, "ax"));
      // A write may take only a part (a full disk, a signal); the rest follows or fails by itself.
      for (let written = 0; written < frame.length; ) {
        written += (await file.write(frame, written)).bytesWritten;
      }
      await failPoint("append.written");
      if (this.#durability === "always") await file.datasync();
      await failPoint("append.synced");
      // The first frame brings the file's name into being: without it in the folder the frame could not be found again.
      if (this.#size === 0) await syncFolder(dirname(this.#path));
      this.#size += frame.length;
    });
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
