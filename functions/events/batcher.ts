/** As many as SQS takes with one request, and as many bytes; with room for what the request has besides. */
const MOST = 10;
const MOST_BYTES = 200_000;

interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Makes one request of several items. @returns the error of each that failed, in their order @throws where all of them failed */
export type SendBatch<T> = (items: readonly T[]) => Promise<readonly (Error | null)[]>;

/**
 * Makes requests for many of what is asked for one by one. One request is under way at a time, and what comes meanwhile goes
 * with the next: so nothing waits where there is little to do, and requests are full where there is much.
 */
export class Batcher<T> {
  readonly #send: SendBatch<T>;
  readonly #size: (item: T) => number;
  #queue: Waiting<T>[] = [];
  #running = false;

  /** @param size bytes of an item */
  constructor(send: SendBatch<T>, size: (item: T) => number = () => 0) {
    this.#send = send;
    this.#size = size;
  }

  /** Resolves when it is done. @throws what its request threw, or its own error */
  add(item: T): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ item, bytes: this.#size(item), done, failed });
      if (this.#running) return;
      this.#running = true;
      // All that is asked for in this turn of the event loop goes together.
      setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#request(this.#take());
    this.#running = false;
  }

  #take(): Waiting<T>[] {
    let bytes = 0;
    const beyond = this.#queue.findIndex(
      (waiting, i) => i === MOST || ((bytes += waiting.bytes) > MOST_BYTES && i > 0),
    );
    return this.#queue.splice(0, beyond === -1 ? this.#queue.length : beyond);
  }

  /** Never rejects. */
  async #request(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const errors = await this.#send(batch.map(({ item }) => item));
      batch.forEach(({ done, failed }, i) => {
        const error = errors[i] ?? null;
        if (error === null) done();
        else failed(error);
      });
    } catch (error) {
      // Whoever does not answer this one does not answer those that wait for it either.
      for (const { failed } of [...batch, ...this.#queue.splice(0)]) failed(error);
    }
  }
}
