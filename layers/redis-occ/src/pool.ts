import type { Connection } from "./connection.ts";
import { ClosedError } from "./errors.ts";

interface Waiter {
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A bounded number of connections, each lent to one borrower at a time.
 * A broken one is not lent again: the next borrower opens its replacement.
 */
export class Pool {
  readonly #open: () => Promise<Connection>;
  readonly #size: number;
  readonly #idle: Connection[] = [];
  readonly #lent = new Set<Connection>();
  readonly #waiting: Waiter[] = [];
  #count = 0;
  #closed = false;

  constructor(open: () => Promise<Connection>, size: number) {
    this.#open = open;
    this.#size = size;
  }

  /** Lends a connection to `use` for as long as it runs. Waits while all are lent. */
  async with<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    try {
      return await use(connection);
    } finally {
      this.#release(connection);
    }
  }

  /** Closes every connection, lent ones too; whoever waits for one gets a ClosedError. */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#idle, ...this.#lent]) connection.close();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new ClosedError());
    this.#idle.length = 0;
  }

  async #acquire(): Promise<Connection> {
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

  /** Opens a connection for a place that is already counted; gives the place back where that fails. */
  async #replace(): Promise<Connection> {
    try {
      const connection = await this.#open();
      if (!this.#closed) return this.#lend(connection);
      connection.close();
      throw new ClosedError();
    } catch (error) {
      this.#count--;
      this.#passOnPlace();
      throw error;
    }
  }

  /** From here on it counts as lent, even while its borrower has yet to take notice: `close` must not miss it. */
  #lend(connection: Connection): Connection {
    this.#lent.add(connection);
    return connection;
  }

  #release(connection: Connection): void {
    this.#lent.delete(connection);
    if (this.#closed || connection.broken) {
      this.#count--;
      this.#passOnPlace();
      return;
    }
    const next = this.#waiting.shift();
    if (next) next.resolve(this.#lend(connection));
    else this.#idle.push(connection);
  }

  /** A place became free without a connection in it: the first in the queue opens one. */
  #passOnPlace(): void {
    const next = this.#closed ? undefined : this.#waiting.shift();
    if (!next) return;
    this.#count++;
    this.#replace().then(next.resolve, next.reject);
  }
}
