import type { Command, Connection, Reply } from "./connection.ts";
import { ServerRefusedError } from "./errors.ts";
import type { Premise } from "./hook.ts";
import { Identity, valuesOf, type Lane, type LaneRead, type OpenLane } from "./lane.ts";

/** Words of one command. Lua passes them as arguments of a function, and has room for 8,000. */
const MAX_WORDS = 7_000;

/**
 * Compare and set, in one script. Every word of it is checked before the first command runs, because after an error of
 * the script itself the commands before it would stand. `#!lua` makes Redis refuse the whole script if it is out of
 * memory.
 *
 * KEYS     the fence, then each key that was read; last the counter of the premise, where there is one
 * ARGV     the premise: the name of the history and the least that the counter may be, or "" and "";
 *          "0" and "1" for each key that was read, in one word: absent or present; the values of those that are present;
 *          then the commands, each as the number of its words and these words
 * returns  the replies, errors among them; null where a key has another value by now, the fence is there, or the premise
 *          does not hold
 */
const COMPARE_AND_SET = `#!lua
local MOST = 5000
local present = ARGV[3]
local argument = 4
local last = #KEYS
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
if ARGV[1] ~= '' then
  if not string.find(redis.call('INFO', 'replication'), 'master_replid:' .. ARGV[1], 1, true) then return false end
  if (tonumber(redis.call('GET', KEYS[last])) or -1) < tonumber(ARGV[2]) then return false end
  last = last - 1
end
for from = 2, last, MOST do
  local to = math.min(from + MOST - 1, last)
  local values = redis.call('MGET', unpack(KEYS, from, to))
  for i = 1, to - from + 1 do
    local expected = false
    if string.byte(present, from + i - 2) == 49 then
      expected = ARGV[argument]
      argument = argument + 1
    end
    if values[i] ~= expected then return false end
  end
end
local replies = {}
while argument <= #ARGV do
  local last = argument + tonumber(ARGV[argument])
  replies[#replies + 1] = redis.pcall(unpack(ARGV, argument + 1, last))
  argument = last + 1
end
return replies
`;

/**
 * Reads without WATCH, and commits by one script that compares what was read with what is there and then writes. So
 * lanes share a connection, and their commands travel together. A value that changed and changed back is no conflict:
 * what the rules rested on is true at the instant of the commit.
 */
export class ScriptLane implements Lane {
  readonly connection: Connection;
  readonly identity = new Identity();
  readonly #sha: string;
  readonly #openOwn: () => Promise<Connection>;
  #read: { readonly keys: readonly string[]; readonly values: readonly (string | null)[] } = { keys: [], values: [] };

  private constructor(connection: Connection, sha: string, openOwn: () => Promise<Connection>) {
    this.connection = connection;
    this.#sha = sha;
    this.#openOwn = openOwn;
  }

  /** Lanes that share one connection for as long as it holds, and then the next one. */
  static sharing(open: () => Promise<Connection>): OpenLane {
    const load = async (): Promise<Shared> => {
      const connection = await open();
      return { connection, sha: await loadScript(connection) };
    };
    let shared: Promise<Shared> | undefined;
    return async () => {
      const found = shared;
      const present = await found?.catch(() => undefined);
      // If several find it broken at the same time, the first one replaces it for all.
      if (shared === found && (present === undefined || present.connection.broken)) shared = load();
      const { connection, sha } = await (shared ??= load());
      return new ScriptLane(connection, sha, open);
    };
  }

  get broken(): boolean {
    return this.connection.broken;
  }

  get lost(): boolean {
    return this.connection.lost;
  }

  async read(keys: readonly string[], probe: readonly Command[]): Promise<LaneRead> {
    const [values, ...replies] = await this.connection.pipeline([valuesOf(keys), ...probe]);
    this.#read = { keys, values: keys.length > 0 ? (values as (string | null)[]) : [] };
    return { values: [...this.#read.values], replies };
  }

  async commit(commands: readonly Command[], premise?: Premise): Promise<(Reply | Error)[] | null> {
    for (const words of commands) {
      if (words.length > MAX_WORDS) throw new RangeError(`${words[0]} has more than ${MAX_WORDS} arguments`);
    }
    const { keys, values } = this.#read;
    const args = [
      this.identity.fence,
      ...keys,
      ...(premise === undefined ? ["", ""] : [premise.counter.key, premise.history, premise.counter.least]),
      values.map((value) => (value === null ? "0" : "1")).join(""),
      ...values.filter((value) => value !== null),
      ...commands.flatMap((words) => [words.length, ...words]),
    ];
    const run = (): Promise<unknown> =>
      this.connection.script(this.#sha, 1 + keys.length + (premise === undefined ? 0 : 1), args);
    const replies = await run().catch(async (error: unknown) => {
      if (!isUnknownScript(error)) throw error;
      await loadScript(this.connection);
      return run();
    });
    return replies as (Reply | Error)[] | null;
  }

  async abandon(): Promise<void> {
    // Nothing is held.
  }

  discard(): void {
    // Nothing is left behind, and others are at work on the connection.
  }

  async exclusively<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const own = await this.#openOwn();
    try {
      return await use(own);
    } finally {
      own.close();
    }
  }

  close(): void {
    this.connection.close();
  }
}

interface Shared {
  readonly connection: Connection;
  readonly sha: string;
}

async function loadScript(connection: Connection): Promise<string> {
  const [sha] = await connection.pipeline([["script", "LOAD", COMPARE_AND_SET]]);
  return sha as string;
}

/** Somebody has flushed the server's scripts, so nothing was run. */
function isUnknownScript(error: unknown): boolean {
  return error instanceof ServerRefusedError && error.message.startsWith("NOSCRIPT");
}
