import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { copyFile, link, mkdir, open, rename, unlink, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { StoreUnavailableError } from "../../errors.ts";

/**
 * Looks without leaving the thread: this runs once for each append, and on a local disk the way through the thread pool
 * costs many times the look itself. On a network disk it blocks only a Lambda that waits for nothing else.
 *
 * @throws any error of the file system, except that the path is not there
 */
export function exists(path: string): boolean {
  return sizeOf(path) !== undefined;
}

/** Bytes of a file, and when it was written to last; undefined where it is not there. */
export function look(path: string): { readonly bytes: number; readonly modified: number } | undefined {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found && { bytes: found.size, modified: found.mtimeMs };
}

/** Bytes of a file; undefined if it is not there. */
export function sizeOf(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.size;
}

/** Writes a file that must not exist, and syncs it; not its folder. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Writes all of the bytes. A write may take only a part (a full disk, a signal); the rest follows, or fails by itself.
 * @param position in the file; null for where the file stands, at its end
 */
export async function writeFully(file: FileHandle, bytes: Buffer, position: number | null = null): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written, bytes.length - written, position === null ? null : position + written))
      .bytesWritten;
  }
}

/**
 * Writes all of the bytes at the file's end, without leaving the thread: the page cache takes them in microseconds, and
 * the way through the thread pool costs many times that. This is for frames: they are small, and usually each is synced
 * before the next one, so that the kernel has no reason to make a writer wait. A network disk that hangs stops the
 * thread.
 */
export function writeAtOnce(file: FileHandle, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += fs.writeSync(file.fd, bytes, written);
}

/** Makes durable what the file holds now, whoever wrote it. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A new name is durable only once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes `folder` and whatever is missing above it. Each new name is durable in the folder that it is in.
 *
 * One by one: `recursive` of Node never ends where a file system refuses a folder as not there (/proc), and says ENOENT where a
 * disk is read-only.
 */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT" && path !== dirname(path)) {
      await makeFolder(dirname(path));
      await mkdir(path).catch(unlessFolder(path));
    } else unlessFolder(path)(error);
  }
  await syncFolder(dirname(path));
}

/** It may be there already, or somebody else may have made it at the same moment. */
function unlessFolder(path: string): (error: unknown) => void {
  return (error) => {
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  };
}

/** What `link` fails with where the file system has no hard links (exFAT, some network and FUSE file systems). */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** A second name for a file, where nothing has it yet. @returns false where the file system has no hard links @throws EEXIST */
export async function tryLink(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if (NO_LINKS.has(codeOf(error) ?? "")) return false;
    throw error;
  }
}

/**
 * Moves a file into another folder, which may be on another device: whole under its name there, durably, before it is gone
 * here. A file that is not there was moved by somebody else.
 */
export async function moveDurably(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    if (codeOf(error) !== "EXDEV") throw error;
    const draft = `${to}.moving-${randomUUID()}`;
    try {
      await copyFile(from, draft);
      await syncPath(draft);
      await rename(draft, to);
      await syncFolder(dirname(to));
      await unlink(from);
    } catch (failure) {
      await unlink(draft).catch(() => undefined);
      if (codeOf(failure) !== "ENOENT") throw failure;
    }
  }
}

/** Errors of the file system become one error of the log, with what was being done. */
export async function orUnavailable<T>(doing: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw new StoreUnavailableError(`${doing}: ${withoutChance((error as Error).message)}`, { cause: error });
  }
}

/** The last part of the name of a draft or a copy, where a message of the file system has it. */
const CHANCE = /(\.jsonl?)\.(?:(torn|damaged|draft|moving)-)?[0-9a-f]{8}[0-9a-f-]*(?=')/g;

/** The same trouble has to have the same words each time: whoever waits tells of it anew where they differ. */
function withoutChance(message: string): string {
  return message.replace(CHANCE, (_, kind: string, copy?: string) => (copy === undefined ? kind : `${kind}.${copy}`));
}

/** The code of a system error (ENOSPC, EIO, …), undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  // This does not look at its class: in another realm (a vm context, a test runner) the file system's errors are not
  // our `Error`.
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
