/**
 * The processes that a supervisor has started, on disk, so that the successor of a supervisor that was killed can stop
 * them first.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomically } from "./atomic-file.ts";
import { makeInPlace } from "./make-folder.ts";
import { identify, isAlive, isIdentity, type ProcessIdentity } from "./process-identity.ts";

const POLITE_MS = 3_000;
const POLL_MS = 20;
/** How soon a ledger that could not be written is tried again. */
const RETRY_MS = 500;

export class Ledger {
  readonly #runDir: string;
  readonly #file: string;
  readonly #children = new Map<string, ProcessIdentity>();
  #retry: NodeJS.Timeout | undefined;

  constructor(runDir: string, file: string) {
    this.#runDir = runDir;
    this.#file = join(runDir, file);
  }

  /** Call it only with the lock held, because what is on file then belongs to a supervisor that is dead. */
  async stopLeftovers(): Promise<string[]> {
    const left = Object.entries(this.#read()).filter(([, child]) => isAlive(child));
    for (const [, child] of left) signalGroup(child.pid, "SIGTERM");
    const patience = Date.now() + POLITE_MS;
    while (left.some(([, child]) => isAlive(child)) && Date.now() < patience) await sleep(POLL_MS);
    for (const [, child] of left) if (isAlive(child)) signalGroup(child.pid, "SIGKILL");
    while (left.some(([, child]) => isAlive(child))) await sleep(POLL_MS);
    return left.map(([name]) => name);
  }

  /** Writes `NAME.pid` as well, for people and scripts. Never throws: a disk that is full keeps no child from its start. */
  started(name: string, pid: number): void {
    const child = identify(pid);
    if (!child) return; // dead already: its exit event follows
    this.#children.set(name, child);
    this.#save();
  }

  /** Never throws. */
  ended(name: string): void {
    this.#children.delete(name);
    remove(this.#pidFile(name));
    this.#save();
  }

  /** Never throws. */
  remove(): void {
    clearTimeout(this.#retry);
    for (const name of this.#children.keys()) remove(this.#pidFile(name));
    remove(this.#file);
  }

  /** All of it each time: `run/` may have been removed since. What cannot be written now is written once it can. */
  #save(): void {
    clearTimeout(this.#retry);
    try {
      makeInPlace(this.#runDir);
      writeFileAtomically(this.#file, JSON.stringify(Object.fromEntries(this.#children)));
      for (const [name, { pid }] of this.#children) writeFileSync(this.#pidFile(name), `${pid}\n`, { mode: 0o600 });
    } catch {
      this.#retry = setTimeout(() => this.#save(), RETRY_MS).unref();
    }
  }

  #pidFile(name: string): string {
    return join(this.#runDir, `${name}.pid`);
  }

  #read(): Record<string, ProcessIdentity> {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#file, "utf8"));
      return Object.fromEntries(
        Object.entries(value as object).filter(([, child]) => isIdentity(child) && child.pid > 1),
      );
    } catch {
      return {};
    }
  }
}

/** Each child leads a process group of its own, so that Ctrl-C reaches the supervisor only, and this reaches its helpers too. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The folder cannot be written: whoever reads it finds a pid that is not alive.
  }
}
