/**
 * Loaded into a process before its code (`node --import`): writes down what it does to the files under POWER_LOSS_ROOT, in
 * the journal POWER_LOSS_JOURNAL that all such processes share. SIGKILL alone proves nothing about a sync: the kernel keeps
 * every byte. What a power loss would have left is made from the journal (see lose-power.ts).
 *
 * An intent is written down before the work itself, and a sync once it is done. So whatever another process can have
 * seen is in the journal before that process's sync.
 */
import fs, { appendFileSync, fstatSync, linkSync, openSync, readFileSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve, sep } from "node:path";
import type { JournalEntry } from "./entries.ts";

interface OpenFile {
  readonly path: string;
  size: number;
}

const root = resolve(process.env["POWER_LOSS_ROOT"] ?? "");
const journalFile = process.env["POWER_LOSS_JOURNAL"] ?? "";
const journal = openSync(journalFile, "a");
const { promises } = fs;
const real = { ...promises };
/** Open files and folders below the root, with the size that they have reached. */
const handles = new WeakMap<fs.promises.FileHandle, OpenFile>();
/** The same by descriptor, until it is used for another file. */
const descriptors = new Map<number, OpenFile>();
let graves = 0;

const note = (entry: JournalEntry): void => appendFileSync(journal, `${JSON.stringify(entry)}\n`);
const isOurs = (path: unknown): path is string => typeof path === "string" && resolve(path).startsWith(root + sep);
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

Object.assign(promises, {
  async open(path: string, flags = "r", mode?: number) {
    if (!isOurs(path) && resolve(path) !== root) {
      const other = await real.open(path, flags, mode);
      descriptors.delete(other.fd);
      return other;
    }
    if (flags !== "r") note({ op: "create", path: resolve(path) });
    const handle = await real.open(path, flags, mode);
    const file = { path: resolve(path), size: sizeOf(path) };
    handles.set(handle, file);
    descriptors.set(handle.fd, file);
    return handle;
  },
  /** One folder: the store makes those above it one by one. */
  async mkdir(path: string, options?: fs.MakeDirectoryOptions) {
    const made = await real.mkdir(path, options);
    if (isOurs(path)) note({ op: "mkdir", path: resolve(path) });
    return made;
  },
  async rename(from: string, to: string) {
    if (isOurs(to)) note({ op: "rename", from: resolve(from), path: resolve(to) });
    await real.rename(from, to);
  },
  async link(from: string, to: string) {
    await real.link(from, to);
    if (isOurs(to)) note({ op: "link", from: resolve(from), path: resolve(to) });
  },
  async unlink(path: string) {
    if (isOurs(path)) {
      // Its bytes come back where its name does.
      const grave = `${journalFile}.${process.pid}.${++graves}`;
      linkSync(path, grave);
      note({ op: "unlink", path: resolve(path), grave });
    }
    await real.unlink(path);
  },
  async truncate(path: string, to = 0) {
    if (isOurs(path))
      note({ op: "truncate", path: resolve(path), to, lost: readFileSync(path).subarray(to).toString("base64") });
    await real.truncate(path, to);
  },
  async copyFile(from: string, to: string, mode?: number) {
    if (isOurs(to)) {
      note({ op: "create", path: resolve(to) });
      note({ op: "write", path: resolve(to), from: 0, to: sizeOf(from) });
    }
    await real.copyFile(from, to, mode);
  },
});

// Ways to change files that nothing uses yet. Once one is used, it must be written down too.
for (const name of ["appendFile", "cp", "rm", "rmdir", "symlink", "writeFile"] as const) {
  const original = real[name] as (path: unknown, ...rest: unknown[]) => Promise<unknown>;
  Object.assign(promises, {
    [name]: async (path: unknown, ...rest: unknown[]) => {
      if (isOurs(path))
        throw new Error(`${name} of ${path} is not written down: the power-loss journal does not know it`);
      return original(path, ...rest);
    },
  });
}

const { writeSync } = fs;
fs.writeSync = ((descriptor: number, data: Buffer, offset: number) => {
  grow(descriptors.get(descriptor), data.length - offset);
  return writeSync(descriptor, data, offset);
}) as typeof writeSync;
syncBuiltinESMExports();

// The class of file handles is not exported.
const some = await real.open("/dev/null");
await some.close();
type Handle = fs.promises.FileHandle;
const prototype = Object.getPrototypeOf(some) as Handle;
const own = {
  write: prototype.write,
  writeFile: prototype.writeFile,
  sync: prototype.sync,
  datasync: prototype.datasync,
};

/** @param at where in the file; default: at its end */
function grow(known: OpenFile | undefined, bytes: number, at?: number): void {
  if (known === undefined) return;
  const from = at ?? known.size;
  note({ op: "write", path: known.path, from, to: from + bytes });
  known.size = Math.max(known.size, from + bytes);
}

async function synced(handle: Handle, sync: () => Promise<void>): Promise<void> {
  const known = handles.get(handle);
  const seen = fstatSync(journal).size;
  await sync.call(handle);
  if (known !== undefined) note({ op: "sync", path: known.path, seen });
}

Object.assign(prototype, {
  write(this: Handle, data: Buffer, offset = 0, length: number = data.length - offset, position: number | null = null) {
    grow(handles.get(this), length, position ?? undefined);
    return (own.write as (...args: unknown[]) => unknown).call(this, data, offset, length, position);
  },
  writeFile(this: Handle, data: string, ...rest: unknown[]) {
    // It goes through `write` of the C++ side, not through the method above.
    grow(handles.get(this), Buffer.byteLength(data));
    return (own.writeFile as (...args: unknown[]) => unknown).call(this, data, ...rest);
  },
  sync(this: Handle) {
    return synced(this, own.sync);
  },
  datasync(this: Handle) {
    return synced(this, own.datasync);
  },
});
