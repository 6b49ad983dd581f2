/** A lock file that names its owner, so that each data folder (and each further host) has one supervisor. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, isIdentity, type ProcessIdentity } from "./process-identity.ts";
import { StartError } from "./start-error.ts";

const ATTEMPTS = 20;
/** Longer than two starters need to notice each other while both take over the same stale lock. */
const SETTLE_MS = 50;

/** Removes the lock, if it is still this process's. */
export type Release = () => void;

/**
 * Takes the lock, even from an owner that died without releasing it (SIGKILL, power).
 * @param busy says what is wrong while its owner lives
 * @throws StartError
 */
export async function takeLock(file: string, busy: (owner: ProcessIdentity) => string): Promise<Release> {
  const own = JSON.stringify(identify(process.pid));
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, own, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // A link appears with its content, or not at all: nobody ever reads an empty lock.
      if (attemptTo(() => linkSync(temporary, file), "EEXIST")) {
        if (attempt > 0) await sleep(SETTLE_MS);
        if (attempt === 0 || read(file) === own)
          return () => void (read(file) === own && rmSync(file, { force: true }));
      }
      const found = read(file);
      if (found === undefined) continue;
      const owner = parse(found);
      if (owner && isAlive(owner)) throw new StartError(busy(owner));
      removeStale(file, found);
    }
  } finally {
    rmSync(temporary, { force: true });
  }
  throw new StartError(`${file} changes all the time: other starts are under way`);
}

/** Moves the lock aside and then looks at it: if it is the lock of a starter that was faster, it goes back. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.stale.${process.pid}`;
  if (!attemptTo(() => renameSync(file, aside), "ENOENT")) return;
  if (read(aside) !== stale) attemptTo(() => linkSync(aside, file), "EEXIST");
  rmSync(aside, { force: true });
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isIdentity(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function attemptTo(action: () => void, expected: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === expected) return false;
    throw error;
  }
}
