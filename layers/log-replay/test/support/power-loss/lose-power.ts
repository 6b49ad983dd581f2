/**
 * Leaves of a folder what a power loss would have left of it, by the journal that its processes have written (see
 * preload.ts).
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { JournalEntry } from "./entries.ts";

/** Whether something survives that was not synced: a name given or taken, a sector of data, a file's truncation. */
export type Survives = (what: "name" | "data" | "truncate", path: string) => boolean;

/** The least that a disk has to keep. */
export const nothingUnsynced: Survives = () => false;

/** Bytes that a disk writes together. */
const SECTOR = 512;

/** A file, whatever names it has. */
interface File {
  /** Where its bytes are now. */
  path: string;
  /** What was done to its data and is not synced. */
  pending: ((JournalEntry & { readonly op: "write" | "truncate" }) & { readonly at: number })[];
}

/** A change of a folder's names that is not synced. */
interface Renaming {
  readonly at: number;
  readonly folder: string;
  readonly path: string;
  apply(names: Map<string, File | "folder">): void;
}

/**
 * Call it once every process that writes there is dead. The journal is empty afterwards: what is there now is on the disk.
 * @returns what is wrong already: bytes that were truncated from a file before the copy of them was durable
 */
export function losePower(root: string, journal: string, survives: Survives): string[] {
  const { names, pending } = replay(root, journal);
  for (const change of pending) if (survives("name", change.path)) change.apply(names);
  const problems: string[] = [];
  const contents = new Map<string, Buffer | "folder">();
  for (const [path, file] of names) contents.set(path, file === "folder" ? "folder" : contentOf(file, survives));
  for (const [path, file] of names) if (file !== "folder") problems.push(...truncatedWithoutCopy(path, file, contents));

  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
  for (const [path, content] of [...contents].sort(([a], [b]) => a.localeCompare(b))) {
    // A file in a folder whose own name is lost is lost with it.
    if (!existsSync(dirname(path))) continue;
    if (content === "folder") mkdirSync(path);
    else writeFileSync(path, content);
  }
  truncateSync(journal);
  return problems;
}

/** The names that are durable, and the changes that are not. */
function replay(root: string, journal: string): { names: Map<string, File | "folder">; pending: Renaming[] } {
  const entries = parse(journal);
  const created = new Set(
    entries.flatMap(({ entry }) =>
      entry.op === "create" || entry.op === "mkdir" || entry.op === "link" || entry.op === "rename" ? [entry.path] : [],
    ),
  );
  // What is there although nobody made it was there before.
  const durable = new Map<string, File | "folder">();
  for (const path of pathsIn(root))
    if (!created.has(path)) durable.set(path, statSync(path).isDirectory() ? "folder" : { path, pending: [] });
  // Names that are gone and that nobody made were there before, too.
  for (const { entry } of entries) {
    if (entry.op === "unlink" && !created.has(entry.path)) durable.set(entry.path, { path: entry.path, pending: [] });
  }
  const visible = new Map(durable);
  let pending: Renaming[] = [];
  const change = (at: number, path: string, apply: Renaming["apply"]): void => {
    apply(visible);
    pending.push({ at, folder: dirname(path), path, apply });
  };
  for (const { at, entry } of entries) {
    const { path } = entry;
    const file = visible.get(path);
    switch (entry.op) {
      case "create":
      case "mkdir": {
        if (file !== undefined) break;
        const made = entry.op === "mkdir" ? "folder" : { path, pending: [] };
        change(at, path, (names) => names.set(path, made));
        break;
      }
      case "link":
      case "rename": {
        const moved = visible.get(entry.from);
        if (moved === undefined || moved === "folder") break;
        moved.path = path;
        change(at, path, (names) => {
          names.set(path, moved);
          if (entry.op === "rename") names.delete(entry.from);
        });
        break;
      }
      case "unlink":
        if (file === undefined || file === "folder") break;
        if (file.path === path && entry.grave !== undefined) file.path = entry.grave;
        change(at, path, (names) => names.delete(path));
        break;
      case "write":
      case "truncate":
        if (file !== undefined && file !== "folder") file.pending.push({ ...entry, at });
        break;
      case "sync":
        if (file !== undefined && file !== "folder")
          file.pending = file.pending.filter((write) => write.at >= entry.seen);
        for (const done of pending) if (done.folder === path && done.at < entry.seen) done.apply(durable);
        pending = pending.filter((renaming) => renaming.folder !== path || renaming.at >= entry.seen);
    }
  }
  return { names: durable, pending };
}

function parse(journal: string): { readonly at: number; readonly entry: JournalEntry }[] {
  const bytes = readFileSync(journal);
  const entries: { at: number; entry: JournalEntry }[] = [];
  for (let at = 0, end = bytes.indexOf(10); end >= 0; at = end + 1, end = bytes.indexOf(10, at)) {
    entries.push({ at, entry: JSON.parse(bytes.toString("utf8", at, end)) as JournalEntry });
  }
  return entries;
}

function contentOf(file: File, survives: Survives): Buffer {
  let content: Buffer = existsSync(file.path) ? readFileSync(file.path) : Buffer.alloc(0);
  file.pending = file.pending.filter((change) => {
    if (change.op !== "truncate" || survives("truncate", file.path)) return true;
    content = Buffer.concat([content, Buffer.from(change.lost, "base64")]);
    return false;
  });
  const writes = file.pending.filter(({ op }) => op === "write") as { from: number; to: number }[];
  let length = writes.length === 0 ? content.length : Math.min(content.length, ...writes.map(({ from }) => from));
  for (const { from, to } of writes) {
    for (let start = from, end; start < Math.min(to, content.length); start = end) {
      end = Math.min(to, content.length, (Math.floor(start / SECTOR) + 1) * SECTOR);
      if (survives("data", file.path)) length = Math.max(length, end);
      else content.fill(0, start, end);
    }
  }
  return content.subarray(0, length);
}

/** What a truncation has taken away must be in a copy beside the file. */
function truncatedWithoutCopy(path: string, file: File, contents: ReadonlyMap<string, Buffer | "folder">): string[] {
  return file.pending.flatMap((change) => {
    if (change.op !== "truncate") return [];
    const lost = Buffer.from(change.lost, "base64");
    const kept = [...contents].some(
      ([name, content]) =>
        name.startsWith(`${path}.`) && content !== "folder" && content.subarray(change.to).equals(lost),
    );
    return kept ? [] : [`${path} was truncated, and there is no copy of what was in it`];
  });
}

function pathsIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...pathsIn(path)] : [path];
  });
}
