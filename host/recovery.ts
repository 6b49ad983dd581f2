/**
 * After every start and restart of a Redis or of the host, restores each service and then resumes the open sagas,
 * without waiting for a request or for a tick of the schedule.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "./configuration.ts";
import { type Diagnostics } from "./diagnostics.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Runs a function of the host by its name. @throws Error where it is not there, throws, or the host does not answer */
export type Invoke = (name: string, signal: AbortSignal) => Promise<void>;

export class Recovery {
  readonly #invoke: Invoke;
  readonly #diagnostics: Diagnostics;
  readonly #stopping: AbortSignal;
  #demanded = 0;
  #running: Promise<void> | undefined;

  constructor(invoke: Invoke, diagnostics: Diagnostics, stopping: AbortSignal) {
    this.#invoke = invoke;
    this.#diagnostics = diagnostics;
    this.#stopping = stopping;
  }

  /** Resolves when all that was lost up to this call is back. A demand during a run makes it run once more. Never rejects. */
  async demand(): Promise<void> {
    this.#demanded++;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    await this.#running;
  }

  async #run(): Promise<void> {
    let done = 0;
    while (done < this.#demanded && !this.#isStopping()) {
      const aim = this.#demanded;
      const startedAt = Date.now();
      await Promise.all(SERVICES.map((service) => this.#untilItSucceeds(`${service}-maintain`)));
      await this.#untilItSucceeds("order-resume-sagas");
      done = aim;
      if (!this.#isStopping())
        this.#diagnostics.note(`every service is restored and open sagas are resumed, in ${Date.now() - startedAt} ms`);
    }
  }

  #isStopping(): boolean {
    return this.#stopping.aborted;
  }

  async #untilItSucceeds(name: string): Promise<void> {
    for (let attempt = 0; !this.#isStopping(); attempt++) {
      try {
        await this.#invoke(name, this.#stopping);
        return;
      } catch (error) {
        if (this.#isStopping()) return;
        this.#diagnostics.note(`${name} failed, attempt ${attempt + 1}: ${(error as Error).message}`);
        // Full jitter is for many who retry at once; this is one.
        await sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10)), undefined, {
          signal: this.#stopping,
        }).catch(() => undefined);
      }
    }
  }
}
