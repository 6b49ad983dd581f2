import type { Command, Connection, Reply } from "./connection.ts";
import { Identity, valuesOf, type Lane } from "./lane.ts";

/**
 * WATCH before the read, MULTI … EXEC for the commit. WATCH belongs to the connection, so the lane has one to itself.
 * The server notices every write to a key, even one that puts the same value.
 */
export class WatchLane implements Lane {
  readonly connection: Connection;
  readonly identity = new Identity();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get broken(): boolean {
    return this.connection.broken;
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    const [, values] = await this.connection.pipeline([["watch", this.identity.fence, ...keys], valuesOf(keys)]);
    return keys.length > 0 ? (values as (string | null)[]) : [];
  }

  commit(commands: readonly Command[]): Promise<(Reply | Error)[] | null> {
    return this.connection.transaction(commands);
  }

  async abandon(): Promise<void> {
    await this.connection.pipeline([["unwatch"]]);
  }

  discard(): void {
    // The connection may still WATCH, and a read would then find its MULTI aborted, so it is not lent again.
    this.connection.close();
  }

  exclusively<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    return use(this.connection);
  }

  close(): void {
    this.connection.close();
  }
}
