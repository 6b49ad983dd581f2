/** How much a host takes on at once: a bounded number of requests under way, a bounded queue, and a bounded wait in it. */

export interface AdmissionOptions {
  /** Requests that are worked on at the same time. */
  readonly concurrency: number;
  /** Requests that wait for their turn. */
  readonly queue: number;
  /** Milliseconds that one waits at most. */
  readonly patience: number;
}

/** There is no room, or nobody waits any more: nothing was done, and it may be tried again. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

/** The other end of a request's connection. */
export interface ClientConnection {
  /** It has closed its side: as far as can be seen from here, it is gone. */
  readonly readableEnded: boolean;
  readonly destroyed: boolean;
  once(event: "end" | "close", listener: () => void): this;
  off(event: "end" | "close", listener: () => void): this;
}

interface Waiting {
  readonly admit: () => void;
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

  /**
   * Runs `work` when it is its turn. A request whose client leaves, or that has waited too long, gives its place in the queue back.
   * @throws OverloadedError before `work` was called; else what `work` throws
   */
  async run<T>(work: () => Promise<T>, client: ClientConnection): Promise<T> {
    // It may have waited behind others on its connection.
    if (client.destroyed) throw new OverloadedError("the client has left");
    if (this.#active >= this.#options.concurrency) await this.#turn(client);
    else this.#active++;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(client: ClientConnection): Promise<void> {
    const { queue, patience } = this.#options;
    if (this.#queue.size >= queue) return Promise.reject(new OverloadedError(`${queue} requests wait already`));
    if (client.readableEnded) return Promise.reject(new OverloadedError("the client has left"));
    return new Promise((resolve, reject) => {
      const leave = (why: string): void => {
        dequeue();
        reject(new OverloadedError(why));
      };
      const left = (): void => leave("the client has left");
      const timer = setTimeout(() => leave(`it was not this request's turn within ${patience} ms`), patience);
      const waiting: Waiting = {
        admit: () => {
          dequeue();
          resolve();
        },
      };
      const dequeue = (): void => {
        this.#queue.delete(waiting);
        clearTimeout(timer);
        client.off("end", left).off("close", left);
      };
      client.once("end", left).once("close", left);
      this.#queue.add(waiting);
    });
  }

  /** The place of one that has ended goes to the one that has waited longest. */
  #next(): void {
    for (const waiting of this.#queue) return waiting.admit();
    this.#active--;
  }
}
