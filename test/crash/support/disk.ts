/** The disk that the logs are on, to be filled: a small file system of its own if this process may mount one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SIZE = "64m";
const BALLAST_BYTES = 1024 * 1024;

export class Disk {
  readonly #folder: string;
  readonly #mounted: boolean;

  /** @param folder made by this */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#mounted =
      process.getuid?.() === 0 &&
      spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", folder]).status === 0;
  }

  /** False if it is no file system of its own, so that a fail point has to stand in for a full disk. */
  get canBeFull(): boolean {
    return this.#mounted;
  }

  fill(): void {
    if (!this.#mounted) return;
    const bytes = Buffer.alloc(BALLAST_BYTES);
    try {
      for (let i = 0; ; i++) writeFileSync(this.#ballast(), bytes, { flag: i === 0 ? "w" : "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  free(): void {
    rmSync(this.#ballast(), { force: true });
  }

  setReadOnly(readOnly: boolean): void {
    const { status } = spawnSync("mount", ["-o", `remount,${readOnly ? "ro" : "rw"}`, this.#folder]);
    if (status !== 0) throw new Error(`${this.#folder} cannot be mounted anew`);
  }

  remove(): void {
    if (this.#mounted) spawnSync("umount", ["-l", this.#folder]);
  }

  #ballast(): string {
    return join(this.#folder, "ballast");
  }
}
