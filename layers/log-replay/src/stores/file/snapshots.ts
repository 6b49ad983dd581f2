import { randomUUID } from "node:crypto";
import { open, readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, sizeOf, syncFolder, tryLink, writeFully } from "./durable-files.ts";
import type { Position } from "../../format/record.ts";
import type { Snapshot } from "../store.ts";

/**
 * The snapshots of a file store: `snapshot-E-N.jsonl`, each written as a draft whose name has that name as its start.
 */
export class FileSnapshots {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async newest(): Promise<Snapshot | null> {
    return (await this.#list(/^snapshot-(\d{8,})-(\d{16})\.jsonl$/)).at(-1) ?? null;
  }

  async install(at: Position, content: AsyncIterable<Buffer>): Promise<boolean> {
    if (await this.#reaches(at)) return false;
    const name = snapshotName(at);
    const draft = join(this.#folder, `${name}.draft-${randomUUID()}`);
    try {
      await writeAll(draft, content);
      // A link fails where the name exists: of two at once one wins. Without links the later one takes the place of the
      // earlier, which says the same, and which whoever reads it keeps to the end.
      if (!(await tryLink(draft, join(this.#folder, name)))) await rename(draft, join(this.#folder, name));
    } catch (error) {
      await unlink(draft).catch(() => undefined);
      // Somebody else has installed this one, or has installed a later one and cleared the drafts away.
      if ((codeOf(error) === "EEXIST" || codeOf(error) === "ENOENT") && (await this.#reaches(at))) return false;
      throw error;
    }
    await unlink(draft).catch(() => undefined);
    await syncFolder(this.#folder);
    return true;
  }

  async removeBefore({ n, name }: Snapshot): Promise<void> {
    for (const old of await this.#list(/^snapshot-(\d{8,})-(\d{16})\.jsonl(?:\.draft-.*)?$/)) {
      if (old.n > n || old.name === name) continue;
      await unlink(join(this.#folder, old.name)).catch((error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
      });
    }
    await syncFolder(this.#folder);
  }

  async #reaches({ n }: Position): Promise<boolean> {
    return ((await this.newest())?.n ?? -1) >= n;
  }

  /** Those with such a name, by commit. */
  async #list(pattern: RegExp): Promise<Snapshot[]> {
    const found = (await readdir(this.#folder)).map((name) => pattern.exec(name)).filter((match) => match !== null);
    const snapshots = found.flatMap(([name, epoch, n]) => {
      const bytes = sizeOf(join(this.#folder, name));
      return bytes === undefined ? [] : [{ epoch: Number(epoch), n: Number(n), name, bytes }];
    });
    return snapshots.sort((a, b) => a.n - b.n || a.epoch - b.epoch);
  }
}

function snapshotName({ epoch, n }: Position): string {
  return `snapshot-${String(epoch).padStart(8, "0")}-${String(n).padStart(16, "0")}.jsonl`;
}

async function writeAll(path: string, content: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, "wx");
  try {
    for await (const bytes of content) await writeFully(file, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
