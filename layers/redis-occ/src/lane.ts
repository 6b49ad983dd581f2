import { randomUUID } from "node:crypto";
import type { Connection, Reply, Command } from "./connection.ts";
import type { CommitHook, Premise } from "./hook.ts";
import type { Pool } from "./pool.ts";

/**
 * What one attempt at a time works with, from its read to its commit. The pool lends it. It keeps the promise "only if
 * that is still current", in the way of the commit mode.
 */
export interface Lane {
  readonly connection: Connection;
  readonly identity: Identity;
  readonly broken: boolean;
  /** True where it broke by itself. */
  readonly lost: boolean;
  /**
   * Begins an attempt.
   * @param probe commands that only read, and whose replies are no earlier than the values
   * @returns the values of `keys`, at one instant, and the replies
   */
  read(keys: readonly string[], probe: readonly Command[]): Promise<LaneRead>;
  /**
   * Runs the commands at one instant if nothing that was read has changed and nobody has touched the lane's fence. The
   * errors are those of {@link Connection.transaction}.
   * @returns the replies, or null where something had changed: nothing was run then
   */
  commit(commands: readonly Command[], premise?: Premise): Promise<(Reply | Error)[] | null>;
  /** Ends an attempt that has nothing to commit. */
  abandon(): Promise<void>;
  /** Called after an attempt that failed: whatever it may have left on the connection must not meet the next one. */
  discard(): void;
  /** Runs `use` with a connection that nobody else uses meanwhile. */
  exclusively<T>(use: (connection: Connection) => Promise<T>): Promise<T>;
  close(): void;
}

export interface LaneRead {
  readonly values: (string | null)[];
  readonly replies: Reply[];
}

/** Opens the lanes of a pool. */
export type OpenLane = () => Promise<Lane>;

/**
 * The keys by which the outcome of a lost EXEC is found out. Every commit of the lane writes `marker`. `fence` is one
 * of the keys that have to be as they were; whoever asks touches it, so that an EXEC still queued in the server can no
 * longer run.
 */
export class Identity {
  readonly marker: string;
  readonly fence: string;
  #stamp = 0;

  constructor() {
    const id = randomUUID();
    this.marker = `occ:marker:${id}`;
    this.fence = `occ:fence:${id}`;
  }

  /** A number that no other commit of the lane has had. */
  nextStamp(): string {
    return String(++this.#stamp);
  }
}

/** No command may be empty, so a read of nothing sends another one. */
export function valuesOf(keys: readonly string[]): Command {
  return keys.length > 0 ? ["mget", ...keys] : ["echo", ""];
}

/** Called after a restore: closes what leads to another server than the one with the state. */
export function closeThoseElsewhere(pool: Pool<Lane>, hook: CommitHook): void {
  pool.closeWhere(({ connection }) => hook.leadsElsewhere?.(connection) ?? false);
}
