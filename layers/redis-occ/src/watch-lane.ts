import type { Command, Connection, Reply } from "./connection.ts";
import { Identity, valuesOf, type Lane, type LaneRead } from "./lane.ts";

/**
 * WATCH before the read, MULTI … EXEC for the commit. WATCH belongs to the connection, so the lane has one to itself.
 * The server notices every write to a key, also one that puts the same value, and that all data are replaced (FLUSHALL, a
 * sync from another server, DEBUG RELOAD).
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

  get lost(): boolean {
    return this.connection.lost;
  }

  async read(keys: readonly string[], probe: readonly Command[]): Promise<LaneRead> {
    const watch: Command = ["watch", this.identity.fence, ...keys];
    const [, values, ...replies] = await this.connection.pipeline([watch, valuesOf(keys), ...probe]);
    return { values: keys.length > 0 ? (values as (string | null)[]) : [], replies };
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
