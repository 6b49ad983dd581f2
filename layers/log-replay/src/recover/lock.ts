import { randomUUID } from "node:crypto";
import { ConnectionLostError, ServerRefusedError, type Command, type Connection } from "redis-occ";
import type { Dataset } from "../protocol.ts";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, LOCK } from "../redis/keys.ts";

/**
 * Milliseconds without any progress after which the lock is no longer renewed, so that others may try, whatever it
 * waits for.
 */
const LONGEST_STEP = 10_000;

/** How many lives of a lock it stays in Redis, for who comes when its holder is long gone and nobody has watched it. */
const LIVES = 20;

/** Stands in the lock in the place of a number where nobody is to try for a while. */
const HELD_BACK = "back";

/** How often the patience with a holder doubles, at most. */
const DOUBLINGS = 2;

/** What somebody finds who wants to restore. */
export interface Found {
  /** The lock as it is; null if it is free. It changes with each sign of life of its holder. */
  readonly held: string | null;
  readonly dataset: Dataset;
  readonly guard: string | null;
}

/**
 * The lock of one attempt to restore, on one connection. It is renewed by itself as long as the attempt makes progress. Time alone
 * takes it from nobody: somebody else has to, who has watched it for its life without seeing it change (`Patience`). Whoever lost
 * it cannot write any more: each write is a MULTI that watches the lock, and is made only while the lock holds what the write before
 * has left there (a token, and the number of that write), and the data are of the same history. A copy of the data that was put back
 * in the middle holds an earlier number, or none.
 */
export class RestoreLock {
  readonly dataset: Dataset;
  readonly #connection: Connection;
  readonly #ttl: number;
  readonly #token: Token;
  readonly #heartbeat: NodeJS.Timeout;
  #writes = 0;
  #renewed = performance.now();
  #progressed = performance.now();
  /** One write after the other, because EXEC ends the WATCH of all. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(connection: Connection, ttl: number, token: Token, dataset: Dataset) {
    this.#connection = connection;
    this.#ttl = ttl;
    this.#token = token;
    this.dataset = dataset;
    this.#heartbeat = setInterval(() => void this.#renewInTime().catch(() => undefined), ttl / 4);
    this.#heartbeat.unref();
  }

  /** Looks, and watches what it has seen for `take`. */
  static async look(connection: Connection): Promise<Found> {
    const [, , held, guard, info] = await connection.pipeline([
      ["unwatch"],
      ["watch", LOCK, GUARD],
      ["get", LOCK],
      ["get", GUARD],
      ASK_DATASET,
    ]);
    return { held: textOf(held), guard: textOf(guard), dataset: readDataset(info, connection) };
  }

  /**
   * Takes the lock that is free, or whose holder is taken for dead, if neither it nor the guard has changed since the look.
   * @param ttl milliseconds
   * @returns null where one of them has
   */
  static async take(connection: Connection, { held, dataset }: Found, ttl: number): Promise<RestoreLock | null> {
    const token = { id: randomUUID(), taken: held === null ? 0 : takenIn(held) + 1 };
    const replies = await connection.transaction([keep(token, 0, ttl)]);
    return replies === null ? null : new RestoreLock(connection, ttl, token, dataset);
  }

  /** Runs the commands as one MULTI that also renews the lock. @throws ConnectionLostError if it is no longer held */
  write(commands: readonly Command[], { releases = false } = {}): Promise<void> {
    return this.#inTurn(async () => {
      await this.#assertHeld();
      const last: Command = releases ? ["del", LOCK] : keep(this.#token, this.#writes + 1, this.#ttl);
      this.#renewed = performance.now();
      const replies = await this.#connection.transaction([...commands, last]);
      if (replies === null) throw new ConnectionLostError("the lock of the restore was lost");
      // Whatever has failed in it, the lock says its number by now.
      this.#writes++;
      const failure = replies.find((reply) => reply instanceof Error);
      if (failure !== undefined)
        throw new ConnectionLostError(`a restoring write failed: ${failure.message}`, { cause: failure });
      this.#progressed = performance.now();
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
    return this.#end(["del", LOCK], 1);
  }

  /**
   * Lets go of it after a pause during which nobody tries: what has failed once is likely to fail again, and each
   * attempt leaves an epoch in the log.
   */
  holdBack(pause: number): Promise<void> {
    return this.#end(["set", LOCK, `${this.#token.id}:${this.#writes}:${HELD_BACK}`, "PX", pause], pause);
  }

  /** @param life milliseconds that are left to the lock of a server that is full, which takes no transaction, not even one that deletes */
  #end(command: Command, life: number): Promise<void> {
    clearInterval(this.#heartbeat);
    return this.#inTurn(async () => {
      await this.#assertHeld();
      try {
        await this.#connection.transaction([command]);
      } catch (error) {
        if (!(error instanceof ServerRefusedError)) throw error;
        // Whoever may have taken it since sets another life with its next write; and nobody takes a lock of a server that is full.
        await this.#connection.pipeline([["unwatch"], ["pexpire", LOCK, life]]);
      }
    });
  }

  async #assertHeld(): Promise<void> {
    const [, holder, info] = await this.#connection.pipeline([["watch", LOCK], ["get", LOCK], ASK_DATASET]);
    const { replid } = readDataset(info, this.#connection);
    if (holder === textIn(this.#token, this.#writes) && replid === this.dataset.replid) return;
    await this.#connection.pipeline([["unwatch"]]);
    throw new ConnectionLostError("the lock of the restore was lost");
  }

  async #renewInTime(): Promise<void> {
    const now = performance.now();
    // Renewed a round trip after the last tick at least, so a whole quarter has never passed.
    if (now - this.#renewed < this.#ttl / 8 || now - this.#progressed > LONGEST_STEP) return;
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

/**
 * When a process that waits takes the lock's holder for dead. It adds up how long it meant to wait while the lock was the same. It
 * looks at no clock: what keeps this process from running may keep the holder, so such time does not count. On a machine that lets
 * nobody run for seconds, who takes over is as slow as who was taken over. So each time the patience with the next one doubles.
 */
export class Patience {
  readonly #life: number;
  #seen: string | null = null;
  #waited = 0;

  /** @param ttl milliseconds that the first holder is waited for */
  constructor(ttl: number) {
    this.#life = ttl;
  }

  /** @param pause milliseconds that this process is about to wait; counted if the lock is the same then */
  waits(pause: number): void {
    this.#waited += pause;
  }

  /** @param held the lock as it is now; it expires by itself where it is held back */
  isOverWith(held: string): boolean {
    if (held !== this.#seen) this.#waited = 0;
    this.#seen = held;
    return !held.endsWith(`:${HELD_BACK}`) && this.#waited >= this.#life * 2 ** Math.min(takenIn(held), DOUBLINGS);
  }
}

/** Whose the lock is, and how many holders before were taken for dead. */
interface Token {
  readonly id: string;
  readonly taken: number;
}

function textIn({ id, taken }: Token, writes: number): string {
  return `${id}:${writes}:${taken}`;
}

/** Older versions do not count them. */
function takenIn(held: string): number {
  const taken = Number(held.split(":")[2]);
  return Number.isNaN(taken) ? 0 : taken;
}

function keep(token: Token, writes: number, ttl: number): Command {
  return ["set", LOCK, textIn(token, writes), "PX", LIVES * ttl];
}

const textOf = (reply: unknown): string | null => (typeof reply === "string" ? reply : null);
