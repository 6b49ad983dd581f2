/** Each sync of the file store, taken out. */
import type { Mutant } from "../mutant.ts";

const FILES = "layers/log-replay/src/stores/file";

const sync = (what: string, file: string, before: string, after = ""): Mutant => ({
  what: `not synced: ${what}`,
  file: `${FILES}/${file}`,
  before,
  after,
  promise: ["power, or the kernel", "power fails"],
  project: "layers",
  tests: "power-loss",
});

export const SYNCS: readonly Mutant[] = [
  sync("a frame's data", "segment.ts", `if (this.#durability === "always") await file.datasync();`),
  sync("the name of a segment", "segment.ts", "if (this.#size === 0) await syncFolder(dirname(path));"),
  sync(
    "the name of a further segment",
    "segment.ts",
    "if (this.#size === 0) await syncFolder(dirname(path));",
    "if (this.#size === 0 && this.#count === 1) await syncFolder(dirname(path));",
  ),
  sync("a file that is written as a whole", "durable-files.ts", "await file.sync();"),
  sync("the name of a claim", "store.ts", `await syncFolder(this.#folder);\n      await failPoint("claim.after");`),
  sync("the name of a beginning", "store.ts", `await syncFolder(this.#folder);\n      await failPoint("begin.after");`),
  sync("the data of others that was read", "store.ts", "      await file.datasync();\n"),
  sync(
    "the names of others that were seen",
    "store.ts",
    `await syncFolder(this.#folder);\n      await failPoint("sync.after");`,
  ),
  sync("the data of a snapshot", "snapshots.ts", "await file.sync();"),
  sync(
    "the name of a snapshot",
    "snapshots.ts",
    "await unlink(draft).catch(() => undefined);\n    await syncFolder(this.#folder);",
    "await unlink(draft).catch(() => undefined);",
  ),
  sync("the names in the archive", "store.ts", "await syncFolder(this.#path(ARCHIVE));"),
  sync("the copy of a segment that is truncated", "store.ts", "await syncPath(this.#path(copy));"),
  sync(
    "the name of that copy",
    "store.ts",
    `await syncFolder(this.#folder);\n      await failPoint("truncate.copied");`,
  ),
  sync(
    "the names in a new store",
    "identity.ts",
    "await syncFolder(folder);\n    return { id: (await",
    "return { id: (await",
  ),
  sync("the folders of a new store", "durable-files.ts", "  await syncFolder(dirname(path));\n}", "}"),
];
