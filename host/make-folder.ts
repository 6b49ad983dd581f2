import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder for its owner only, with whatever is missing above it.
 *
 * One by one: `recursive` of Node never ends where a file system refuses a folder as not there (/proc), and says ENOENT where a
 * disk is read-only.
 */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (isFolder(path)) return;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || isFolder(dirname(path))) throw error;
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

/**
 * Makes a folder where what is above it is there: a data folder that was moved away is not made again, because whoever moves it
 * back would put it inside the new one.
 */
export function makeInPlace(path: string): void {
  if (!isFolder(path)) mkdirSync(path, { mode: 0o700 });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
