/** How much a host takes on at once: a bounded number of requests under way, a bounded queue, and a bounded wait in it. */

export interface AdmissionOptions {
  /** Requests that are worked on at the same time. */
  readonly concurrency: number;
  /** Requests that wait for their turn. */
  readonly queue: number;
  /** Milliseconds that one waits at most. */
  readonly patience: number;
}

/** There is no room. Nothing was done, and the request may be tried again. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

interface Waiting {
  readonly admit: () => void;
  readonly timer: NodeJS.Timeout;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue = new Set<Waiting>();
  #active = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Runs `work` when it is its turn. @throws OverloadedError before `work` was called; else what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#active >= this.#options.concurrency) await this.#turn();
    else this.#active++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(): Promise<void> {
    const { queue, patience } = this.#options;
    if (this.#queue.size >= queue) return Promise.reject(new OverloadedError(`${queue} requests wait already`));
    return new Promise((admit, reject) => {
      const timer = setTimeout(() => {
        this.#queue.delete(waiting);
        reject(new OverloadedError(`it was not this request's turn within ${patience} ms`));
      }, patience);
      const waiting: Waiting = { admit, timer };
      this.#queue.add(waiting);
    });
  }

  /** The place of a request that has ended goes to the one that has waited longest. */
  #next(): void {
    for (const waiting of this.#queue) {
      this.#queue.delete(waiting);
      clearTimeout(waiting.timer);
      return waiting.admit();
    }
    this.#active--;
  }
}
