import { randomUUID } from "node:crypto";
import { ConnectionLostError, type Command, type Connection } from "redis-occ";
import type { Dataset } from "../protocol.ts";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, LOCK } from "../redis/keys.ts";

/**
 * Milliseconds without any progress after which the lock is no longer renewed, so that others may try, whatever it
 * waits for.
 */
const LONGEST_STEP = 10_000;

/** What somebody finds who wants to restore. */
export interface Found {
  /** The lock, if it was free. */
  readonly lock: RestoreLock | null;
  readonly dataset: Dataset;
  readonly guard: string | null;
}

/**
 * The lock of one attempt to restore, on one connection. It expires unless it is renewed, which happens by itself as long as the
 * attempt makes progress. Whoever lost it cannot write any more: each write is a MULTI that watches the lock, and is made only
 * while the lock holds what the write before has left there (a token, and the number of that write), and the data are of the same
 * history. A copy of the data that was put back in the middle holds an earlier number, or none.
 */
export class RestoreLock {
  readonly dataset: Dataset;
  readonly #connection: Connection;
  readonly #ttl: number;
  readonly #token: string;
  readonly #heartbeat: NodeJS.Timeout;
  #writes = 0;
  #renewed = performance.now();
  #progressed = performance.now();
  /** One write after the other, because EXEC ends the WATCH of all. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(connection: Connection, ttl: number, token: string, dataset: Dataset) {
    this.#connection = connection;
    this.#ttl = ttl;
    this.#token = token;
    this.dataset = dataset;
    this.#heartbeat = setInterval(() => void this.#renewInTime().catch(() => undefined), ttl / 4);
    this.#heartbeat.unref();
  }

  /**
   * Takes the lock if it is free, and tells what there is otherwise.
   * @param ttl milliseconds
   */
  static async take(connection: Connection, ttl: number): Promise<Found> {
    const token = randomUUID();
    const [taken, guard, info] = await connection.pipeline([
      ["set", LOCK, tokenOf(token, 0), "NX", "PX", ttl],
      ["get", GUARD],
      ASK_DATASET,
    ]);
    const dataset = readDataset(info, connection);
    return {
      lock: taken === "OK" ? new RestoreLock(connection, ttl, token, dataset) : null,
      dataset,
      guard: typeof guard === "string" ? guard : null,
    };
  }

  /** Runs the commands as one MULTI that also renews the lock. @throws ConnectionLostError if it is no longer held */
  write(commands: readonly Command[], { releases = false } = {}): Promise<void> {
    return this.#inTurn(async () => {
      await this.#assertHeld();
      const next = tokenOf(this.#token, this.#writes + 1);
      const last: Command = releases ? ["del", LOCK] : ["set", LOCK, next, "PX", this.#ttl];
      const replies = await this.#connection.transaction([...commands, last]);
      if (replies === null) throw new ConnectionLostError("the lock of the restore was lost");
      const failure = replies.find((reply) => reply instanceof Error);
      if (failure !== undefined)
        throw new ConnectionLostError(`a restoring write failed: ${failure.message}`, { cause: failure });
      this.#writes++;
      this.#renewed = this.#progressed = performance.now();
      if (releases) clearInterval(this.#heartbeat);
    });
  }

  /** Milliseconds since 1970, by the server's clock. */
  now(): Promise<number> {
    return this.#inTurn(async () => {
      const [time] = await this.#connection.pipeline([["time"]]);
      const [seconds, microseconds] = time as [string, string];
      return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    });
  }

  /** Tells that something was done: the lock is kept for as long as this is called often enough. */
  progress(): void {
    this.#progressed = performance.now();
  }

  /** Lets go of the lock if it is still held. */
  release(): Promise<void> {
    return this.#end(["del", LOCK]);
  }

  /**
   * Lets go of it after a pause during which nobody tries: what has failed once is likely to fail again, and each
   * attempt leaves an epoch in the log.
   */
  holdBack(pause: number): Promise<void> {
    // A Redis that is full takes no SET, but it takes this.
    return this.#end(["pexpire", LOCK, pause]);
  }

  #end(command: Command): Promise<void> {
    clearInterval(this.#heartbeat);
    return this.#inTurn(async () => {
      await this.#assertHeld();
      await this.#connection.transaction([command]);
    });
  }

  async #assertHeld(): Promise<void> {
    const [, holder, info] = await this.#connection.pipeline([["watch", LOCK], ["get", LOCK], ASK_DATASET]);
    const { replid } = readDataset(info, this.#connection);
    if (holder === tokenOf(this.#token, this.#writes) && replid === this.dataset.replid) return;
    await this.#connection.pipeline([["unwatch"]]);
    throw new ConnectionLostError("the lock of the restore was lost");
  }

  async #renewInTime(): Promise<void> {
    const now = performance.now();
    if (now - this.#renewed < this.#ttl / 4 || now - this.#progressed > LONGEST_STEP) return;
    const progressed = this.#progressed;
    await this.write([]);
    this.#progressed = progressed;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function tokenOf(token: string, writes: number): string {
  return `${token}:${writes}`;
}
