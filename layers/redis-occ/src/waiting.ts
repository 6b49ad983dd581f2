import { AbortedError, type OccError } from "./errors.ts";

/** A caller that waits: until it gets its answer, its time is up, or it wants no more. */
export abstract class Waiting<Answer> {
  readonly answer: Promise<Answer>;
  /** Attempts that came to nothing, for whatever reason: the pauses grow with them. */
  attempts = 0;
  /** Why its latest attempt could not even be made: the cause of a timeout. */
  lastProblem: Error | undefined;
  #answered = false;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  /** Undefined where there is no signal: most have none. */
  readonly #abort: (() => void) | undefined;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: unknown) => void;

  /** @param timeout milliseconds */
  constructor(timeout: number, signal: AbortSignal | undefined) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(() => this.fail(this.expired(timeout)), timeout);
    this.#signal = signal;
    if (signal === undefined) return;
    this.#abort = () => this.fail(this.aborted(signal.reason));
    if (signal.aborted) this.#finishEarly();
    else signal.addEventListener("abort", this.#abort);
  }

  /** True once its caller has an answer: it must not be run (again). */
  get answered(): boolean {
    return this.#answered;
  }

  resolve(answer: Answer): void {
    if (this.#finish()) this.#resolve(answer);
  }

  fail(error: unknown): void {
    if (this.#finish()) this.#reject(error);
  }

  protected abstract expired(timeout: number): OccError;
  protected abstract aborted(reason: unknown): OccError;

  /** Nothing of it has begun: the class that it belongs to is not even set up yet. */
  #finishEarly(): void {
    this.fail(new AbortedError("aborted before it began", { cause: this.#signal?.reason }));
  }

  #finish(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    clearTimeout(this.#timer);
    if (this.#abort !== undefined) this.#signal?.removeEventListener("abort", this.#abort);
    return true;
  }
}
