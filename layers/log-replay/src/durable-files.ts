import { access, mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { StoreUnavailableError } from "./errors.ts";

/** @throws any error of the file system but that the path is not there */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
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

/** Makes `folder` and whatever is missing above it; each new name is durable in the folder that it is in. */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  const topmost = resolve((await mkdir(path, { recursive: true })) ?? path);
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === topmost || made === dirname(made)) return;
  }
}

/** Errors of the file system become one error of the log, with what was being done. */
export async function guard<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw new StoreUnavailableError(`${doing}: ${(error as Error).message}`, { cause: error });
  }
}

/** The code of a system error (ENOSPC, EIO, …), undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
