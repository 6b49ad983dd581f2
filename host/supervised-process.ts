/**
 * One child process that is kept running. It is started again after each death: at once at first, and with growing
 * pauses in a crash loop.
 */
import { type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type Diagnostics } from "./diagnostics.ts";
import { type Ledger, signalGroup } from "./ledger.ts";

const IMMEDIATE_RESTARTS = 3;
/** How many times the first start is made again. */
const KILLS_BEFORE_SERVING = 2;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A process that lived this long was well, and its death starts no crash loop. */
const WELL_AFTER_MS = 10_000;

export interface Child {
  name: string;
  /** Detached, so that it leads a process group. */
  spawn(): ChildProcess;
  /** Resolves when it serves; rejects when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
}

export class SupervisedProcess {
  readonly #child: Child;
  readonly #ledger: Ledger;
  readonly #diagnostics: Diagnostics;
  readonly #onReadyAgain: () => void;
  readonly #stopping = new AbortController();
  #process: ChildProcess | undefined;
  /** Of the process that ended last. */
  #wasKilled = false;
  #exited: Promise<void> = Promise.resolve();
  #supervision: Promise<void> = Promise.resolve();

  constructor(child: Child, ledger: Ledger, diagnostics: Diagnostics, onReadyAgain: () => void) {
    this.#child = child;
    this.#ledger = ledger;
    this.#diagnostics = diagnostics;
    this.#onReadyAgain = onReadyAgain;
  }

  /** Of the process that runs; undefined between two. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /**
   * The first start. If it fails, that is an error and not a crash loop. Supervision begins when the process serves. One that
   * somebody kills meanwhile has not failed: it is started again, but not for ever, because a machine without memory kills it too.
   * @throws Error with the last lines that the process said
   */
  async start(): Promise<void> {
    for (let kills = 0; ; kills++) {
      try {
        await this.#startOnce();
        break;
      } catch (error) {
        if (!this.#wasKilled || kills === KILLS_BEFORE_SERVING || this.#isStopping()) throw error;
        this.#diagnostics.warn(`${this.#child.name} was killed while it started: it is started again`);
      }
    }
    this.#supervision = this.#supervise();
  }

  /** Asks politely, then kills. Resolves when the process is gone. @param patienceMs until SIGKILL; 0: at once */
  async stop(patienceMs: number): Promise<void> {
    this.#stopping.abort();
    const pid = this.#process?.pid;
    if (pid !== undefined) {
      signalGroup(pid, patienceMs > 0 ? "SIGTERM" : "SIGKILL");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), patienceMs);
      await this.#exited;
      clearTimeout(timer);
    }
    await this.#supervision;
  }

  /** For the last moment of a supervisor that itself fails. */
  killNow(): void {
    this.#stopping.abort();
    if (this.#process?.pid !== undefined) signalGroup(this.#process.pid, "SIGKILL");
  }

  async #startOnce(): Promise<void> {
    const { name } = this.#child;
    const running = this.#child.spawn();
    const attempt = new AbortController();
    this.#exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        if (this.#process !== running) return;
        // Helpers that it left in its group go with it.
        if (running.pid !== undefined) signalGroup(running.pid, "SIGKILL");
        this.#process = undefined;
        attempt.abort(new Error(`${name} ended (${how})`));
        resolve();
        this.#ledger.ended(name);
      };
      running.once("exit", (code, signal) => {
        this.#wasKilled = signal === "SIGKILL";
        ended(signal ?? `exit code ${code}`);
      });
      running.once("error", (error) => ended(error.message));
    });
    this.#process = running;
    this.#wasKilled = false;
    if (running.pid !== undefined) this.#ledger.started(name, running.pid);
    try {
      await this.#child.ready(AbortSignal.any([attempt.signal, this.#stopping.signal]));
    } catch (error) {
      if (attempt.signal.aborted)
        throw new Error(`${(attempt.signal.reason as Error).message}\n${this.#diagnostics.lastLines(name)}`.trim(), {
          cause: error,
        });
      throw error;
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #supervise(): Promise<void> {
    const { name } = this.#child;
    let deaths = 0;
    let startedAt = Date.now();
    for (;;) {
      await this.#exited;
      if (this.#isStopping()) return;
      deaths = Date.now() - startedAt > WELL_AFTER_MS ? 1 : deaths + 1;
      const pause =
        deaths <= IMMEDIATE_RESTARTS
          ? 0
          : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (deaths - IMMEDIATE_RESTARTS - 1));
      this.#diagnostics.warn(`${name} has died: it is started again${pause > 0 ? ` in ${pause} ms` : ""}`);
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#isStopping()) return;
      startedAt = Date.now();
      try {
        await this.#startOnce();
        this.#diagnostics.note(`${name} serves again after ${Date.now() - startedAt} ms`);
        this.#onReadyAgain();
      } catch (error) {
        this.#diagnostics.note(`${name} did not start: ${(error as Error).message}`);
        if (this.#process) signalGroup(this.#process.pid as number, "SIGKILL");
      }
    }
  }
}
