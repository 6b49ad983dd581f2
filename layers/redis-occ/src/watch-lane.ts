import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import type { Probe } from "./hook.ts";
import type { Collection } from "./images.ts";
import { countOf, Identity, otherTypes, parted, toEnds, valuesBeside, type Lane, type Reading } from "./lane.ts";

/**
 * WATCH before the read, MULTI … EXEC for the commit. WATCH belongs to the connection, so the lane has one to itself.
 * The server notices every write to a key, also one that puts the same value, and that all data are replaced (FLUSHALL, a
 * sync from another server, DEBUG RELOAD).
 */
export class WatchLane implements Lane {
  readonly connection: Connection;
  readonly identity = new Identity();

  readonly #dedicated: boolean;

  constructor(connection: Connection, dedicated: boolean) {
    this.connection = connection;
    this.#dedicated = dedicated;
  }

  get broken(): boolean {
    return this.connection.broken;
  }

  get lost(): boolean {
    return this.connection.lost;
  }

  async read(keys: readonly string[], probe: Probe, collections: readonly Collection[]): Promise<Reading> {
    const { connection } = this;
    const count = countOf(keys, this.#dedicated);
    const begin: Command[] = [
      ["watch", this.identity.fence, ...keys],
      valuesBeside(probe, keys),
      ...probe.commands,
      ...count,
    ];
    const all =
      collections.length === 0
        ? await connection.pipeline(begin)
        : await connection.each([...begin, ...collections.map(contentOf)], begin.length);
    const [probed, values] = parted(all[1], probe);
    const replies = [...probed, ...(all.slice(2, 2 + probe.commands.length) as Reply[])];
    const existing = count.length > 0 ? (all[begin.length - 1] as number) : undefined;
    const contents = collections.map((_, i) => all[begin.length + i] ?? []);
    const zipped = collections.map((collection, i) => [collection, contents[i] ?? []] as const);
    const types = await otherTypes(connection, keys, values, existing, zipped);
    return { values, replies, otherTypes: types, collections: contents };
  }

  async endsOf(keys: readonly string[]): Promise<(number | null)[]> {
    const asked = keys.map((key) => ["pexpiretime", key] as const);
    return toEnds((await this.connection.pipeline([["watch", ...keys], ...asked])).slice(1));
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

function contentOf({ kind, key }: Collection): Command {
  // In capitals: of "hgetall" ioredis makes an object, where a field called "__proto__" is a special case.
  return kind === "hash" ? ["HGETALL", key] : ["ZRANGE", key, 0, -1, "WITHSCORES"];
}
