import { randomUUID } from "node:crypto";
import { ConnectionLostError, type Command, type Connection } from "redis-occ";
import { LOCK } from "../redis/keys.ts";

/**
 * The lock of one attempt to restore, on one connection. It expires unless it is renewed; whoever lost it cannot write
 * any more, because each write is a MULTI that watches the lock and is made only while the token is still in it.
 */
export class RestoreLock {
  readonly #connection: Connection;
  readonly #ttl: number;
  readonly #token: string;
  #renewed = performance.now();

  private constructor(connection: Connection, ttl: number, token: string) {
    this.#connection = connection;
    this.#ttl = ttl;
    this.#token = token;
  }

  /** @param ttl milliseconds @returns null where somebody else holds it */
  static async take(connection: Connection, ttl: number): Promise<RestoreLock | null> {
    const token = randomUUID();
    const [taken] = await connection.pipeline([["set", LOCK, token, "NX", "PX", ttl]]);
    return taken === "OK" ? new RestoreLock(connection, ttl, token) : null;
  }

  /** Runs the commands as one MULTI that also renews the lock. @throws ConnectionLostError where it is no longer held */
  async write(commands: readonly Command[], { wipes = false, releases = false } = {}): Promise<void> {
    const [, holder] = await this.#connection.pipeline([
      ["watch", LOCK],
      ["get", LOCK],
    ]);
    const last: Command = releases
      ? ["del", LOCK]
      : wipes
        ? ["set", LOCK, this.#token, "PX", this.#ttl]
        : ["pexpire", LOCK, this.#ttl];
    const replies = holder === this.#token ? await this.#connection.transaction([...commands, last]) : null;
    if (replies === null) throw new ConnectionLostError("the lock of the restore was lost");
    const failure = replies.find((reply) => reply instanceof Error);
    if (failure !== undefined)
      throw new ConnectionLostError(`a restoring write failed: ${failure.message}`, { cause: failure });
    this.#renewed = performance.now();
  }

  /** For long stretches without a write. */
  async renewWhenDue(): Promise<void> {
    if (performance.now() - this.#renewed > this.#ttl / 3) await this.write([]);
  }

  /** Lets go of the lock if it is still held. */
  async release(): Promise<void> {
    const [, holder] = await this.#connection.pipeline([
      ["watch", LOCK],
      ["get", LOCK],
    ]);
    if (holder === this.#token) await this.#connection.transaction([["del", LOCK]]);
    else await this.#connection.pipeline([["unwatch"]]);
  }
}
