/**
 * After every start and restart of a Redis or of the host, restores each service and then resumes the open sagas,
 * without waiting for a request or for a tick of the schedule. It says on the terminal what keeps that from ending.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Health, HealthError } from "../functions/handler/health.ts";
import { SERVICES } from "./configuration.ts";
import { type Diagnostics } from "./diagnostics.ts";
import { StartError } from "./start-error.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Milliseconds before a restore that is under way is asked for the first time what keeps it, and between later times. */
const FIRST_LOOK_MS = 300;
const LOOK_MS = 2_500;
/** The same words are said again after this time. */
const REPEAT_MS = 10_000;

/** Runs a function of the host by its name. @throws Error where it is not there, throws, or the host does not answer */
export type Invoke = (name: string, signal: AbortSignal) => Promise<unknown>;

export class Recovery {
  readonly #invoke: Invoke;
  readonly #diagnostics: Diagnostics;
  readonly #stopping: AbortSignal;
  /** When each line was said last. */
  readonly #said = new Map<string, number>();
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

  /** As `demand`, for a start. @throws StartError where waiting does not help */
  async demandFirst(): Promise<void> {
    const over = new AbortController();
    try {
      await Promise.race([this.demand(), this.#explain(over.signal, true)]);
    } finally {
      over.abort();
    }
  }

  async #run(): Promise<void> {
    let done = 0;
    const over = new AbortController();
    // Its promise rejects for a start only.
    if (this.#demanded > 1) void this.#explain(over.signal, false);
    while (done < this.#demanded && !this.#isStopping()) {
      const aim = this.#demanded;
      const startedAt = Date.now();
      await Promise.all(SERVICES.map((service) => this.#untilItSucceeds(`${service}-maintain`)));
      await this.#untilItSucceeds("order-resume-sagas");
      done = aim;
      if (!this.#isStopping())
        this.#diagnostics.note(`every service is restored and open sagas are resumed, in ${Date.now() - startedAt} ms`);
    }
    over.abort();
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

  /** Until it is over, says what the services say of themselves. @throws StartError for a start that can never come to an end */
  async #explain(over: AbortSignal, isStart: boolean): Promise<void> {
    const ended = AbortSignal.any([over, this.#stopping]);
    for (let pause = FIRST_LOOK_MS; ; pause = LOOK_MS) {
      await sleep(pause, undefined, { signal: ended, ref: false }).catch(() => undefined);
      if (ended.aborted) return;
      const problems = (await Promise.all(SERVICES.map((service) => this.#problemOf(service, ended)))).filter(
        (problem) => problem !== null,
      );
      const final = problems.find(({ retryable }) => !retryable);
      if (final !== undefined && isStart) throw new StartError(final.message);
      // A restore that is under way is no trouble yet when it is first looked at.
      for (const { code, message } of problems) if (pause !== FIRST_LOOK_MS || code !== "restoring") this.#say(message);
    }
  }

  /** Null where it serves, or cannot be asked. */
  async #problemOf(service: string, ended: AbortSignal): Promise<HealthError | null> {
    try {
      const { body } = (await this.#invoke(`${service}-health`, ended)) as { readonly body: string };
      const health = JSON.parse(body) as Health;
      return health.status === "serving" ? null : health.error;
    } catch {
      return null;
    }
  }

  #say(message: string): void {
    const now = Date.now();
    if (now - (this.#said.get(message) ?? -Infinity) < REPEAT_MS) return;
    this.#said.set(message, now);
    this.#diagnostics.warn(`waiting: ${message}`);
  }
}
