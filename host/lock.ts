/**
 * A lock file that names its owner, so that each data folder (and each further host) has one supervisor.
 *
 * The pid of an owner in this place tells whether it lives. The pid of one in another container or on another machine
 * means nothing here; that owner is alive as long as its lock's time moves, which needs no space on the disk and no
 * clock in common.
 */
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, isHere, isIdentity, type ProcessIdentity } from "./process-identity.ts";
import { StartError } from "./start-error.ts";

const ATTEMPTS = 20;
/** Longer than two starters that both take over one stale lock need to notice each other. */
const CONTEST_MS = 50;
/** How often an owner moves its lock's time, and how long a stranger watches for that. */
const BEAT_MS = 1_000;
const SILENCE_MS = 5_000;
const LOOK_MS = 100;

/** Removes the lock, if it is still this process's. */
export type Release = () => void;

export interface LockWords {
  /** What is wrong while somebody else has the lock. @param owner in words */
  readonly busy: (owner: string) => string;
  /** Called where somebody has taken the lock over from this process, which was stopped for longer than they waited. */
  readonly lost?: () => void;
  /** Called where the owner can no longer write its lock, because its folder was moved away, say; and once it can again. */
  readonly blocked?: (problem: string) => void;
  readonly unblocked?: () => void;
}

/**
 * Takes the lock, even from an owner that died without releasing it (SIGKILL, power).
 * @throws StartError
 */
export async function takeLock(file: string, words: LockWords): Promise<Release> {
  const own = JSON.stringify(identify(process.pid));
  const place = (): boolean => placeLock(file, own);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (place()) {
        if (attempt > 0) await sleep(CONTEST_MS);
        if (attempt === 0 || read(file) === own) return keep(file, own, place, words);
      }
      const found = read(file);
      if (found === undefined) continue;
      const owner = parse(found);
      if (await lives(file, owner))
        throw new StartError(
          words.busy(owner && isHere(owner) ? `pid ${owner.pid}` : "in another container, or on another machine"),
        );
      removeStale(file, found);
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`DATA_DIR: ${file} cannot be written: ${(error as Error).message}`);
  }
  throw new StartError(`${file} changes all the time: other starts are under way`);
}

/** A link appears with its content, or not at all: nobody ever reads an empty lock. @returns false where there is one */
function placeLock(file: string, own: string): boolean {
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, own, { mode: 0o600 });
    return attemptTo(() => linkSync(temporary, file), "EEXIST");
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function lives(file: string, owner: ProcessIdentity | undefined): Promise<boolean> {
  if (owner && isHere(owner)) return isAlive(owner);
  const seen = beat(file);
  for (const end = performance.now() + SILENCE_MS; performance.now() < end; await sleep(LOOK_MS)) {
    if (beat(file) !== seen) return true;
  }
  return false;
}

/** Whoever looks takes a lock that is not there for one that is free: so it is placed again, but no folder is made for it. */
function keep(file: string, own: string, place: () => boolean, { lost, blocked, unblocked }: LockWords): Release {
  let isBlocked = false;
  const beatOnce = (): boolean => {
    const found = read(file);
    if (found === own) utimesSync(file, new Date(), new Date());
    return found === own || (found === undefined && place());
  };
  const timer = setInterval(() => {
    let isOwn;
    try {
      isOwn = beatOnce();
    } catch (error) {
      if (!isBlocked) blocked?.((error as Error).message);
      isBlocked = true;
      return;
    }
    if (isOwn) {
      if (isBlocked) unblocked?.();
      isBlocked = false;
      return;
    }
    clearInterval(timer);
    lost?.();
  }, BEAT_MS).unref();
  return () => {
    clearInterval(timer);
    if (read(file) === own) rmSync(file, { force: true });
  };
}

/** Moves the lock aside and then looks at it: if it is the lock of a starter that was faster, it goes back. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.stale.${process.pid}`;
  if (!attemptTo(() => renameSync(file, aside), "ENOENT")) return;
  if (read(aside) !== stale) attemptTo(() => linkSync(aside, file), "EEXIST");
  rmSync(aside, { force: true });
}

/** Undefined where there is no lock. */
function beat(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
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
