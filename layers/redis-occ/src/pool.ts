import { ClosedError } from "./errors.ts";

/** What breaks once and is then replaced: a connection, or what rests on one. */
export interface Lendable {
  readonly broken: boolean;
  /** True where it broke by itself, and was not closed. */
  readonly lost: boolean;
  close(): void;
}

interface Waiter<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A bounded number of lanes or connections, each lent to one borrower at a time. A broken one is not lent again; the
 * next borrower opens its replacement. Where one was lost, those that are idle are given up as well: what cut it (a
 * server that was demoted or hangs, a gateway that forgot all flows, a process that was frozen) has as a rule cut them
 * too, and each would cost its borrower a whole timeout to find out.
 */
export class Pool<T extends Lendable> {
  readonly #open: () => Promise<T>;
  readonly #size: number;
  readonly #idle: T[] = [];
  readonly #lent = new Set<T>();
  readonly #waiting: Waiter<T>[] = [];
  #count = 0;
  #closed = false;

  constructor(open: () => Promise<T>, size: number) {
    this.#open = open;
    this.#size = size;
  }

  /** Lends one to `use` for as long as it runs. Waits while all are lent. */
  async with<R>(use: (item: T) => Promise<R>): Promise<R> {
    const item = await this.#acquire();
    try {
      return await use(item);
    } finally {
      this.#release(item);
    }
  }

  /** Closes all of them, lent ones too. Whoever waits for one gets a ClosedError. */
  close(): void {
    this.#closed = true;
    for (const item of [...this.#idle, ...this.#lent]) item.close();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new ClosedError());
    this.#idle.length = 0;
  }

  /** Closes those, lent ones too. */
  closeWhere(which: (item: T) => boolean): void {
    for (const item of [...this.#idle, ...this.#lent]) if (which(item)) item.close();
  }

  async #acquire(): Promise<T> {
    if (this.#closed) throw new ClosedError();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.broken) return this.#lend(idle);
      this.#count--;
    }
    if (this.#count >= this.#size) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    this.#count++;
    return this.#replace();
  }

  /** Opens one for a place that is already counted, and gives the place back if that fails. */
  async #replace(): Promise<T> {
    try {
      const item = await this.#open();
      if (!this.#closed) return this.#lend(item);
      item.close();
      throw new ClosedError();
    } catch (error) {
      this.#count--;
      this.#passOnPlace();
      throw error;
    }
  }

  /** From here on it counts as lent, even before its borrower takes notice: `close` must not miss it. */
  #lend(item: T): T {
    this.#lent.add(item);
    return item;
  }

  #release(item: T): void {
    this.#lent.delete(item);
    if (item.lost) for (const other of this.#idle) other.close();
    if (this.#closed || item.broken) {
      this.#count--;
      this.#passOnPlace();
      return;
    }
    const next = this.#waiting.shift();
    if (next) next.resolve(this.#lend(item));
    else this.#idle.push(item);
  }

  /** A place became free with nothing in it: the first in the queue opens one. */
  #passOnPlace(): void {
    const next = this.#closed ? undefined : this.#waiting.shift();
    if (!next) return;
    this.#count++;
    this.#replace().then(next.resolve, next.reject);
  }
}
