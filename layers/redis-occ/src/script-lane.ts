import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import { ServerRefusedError } from "./errors.ts";
import type { Collection } from "./images.ts";
import {
  countOf,
  Identity,
  otherTypes,
  parted,
  toEnds,
  valuesBeside,
  type Lane,
  type OpenLane,
  type Reading,
} from "./lane.ts";
import type { Premise, Probe } from "./hook.ts";

/** Words of one command. Lua passes them as arguments of a function, and has room for 8,000. */
const MAX_WORDS = 7_000;

/**
 * A collection as Redis has it (or when a key ends), and what tells it from another one. Computed where it is, byte for byte: what the reply becomes
 * on its way does not matter.
 */
const READ = `
local function read(kind, key)
  if kind == 'hash' then return redis.pcall('HGETALL', key) end
  if kind == 'end' then return redis.pcall('PEXPIRETIME', key) end
  return redis.pcall('ZRANGE', key, 0, -1, 'WITHSCORES')
end
local function digest(reply) return redis.sha1hex(cmsgpack.pack(reply)) end
`;

/**
 * KEYS     collections
 * ARGV     the kind of each
 * returns  the content of each (or an error), then the digest of each
 */
const READ_COLLECTIONS = `#!lua flags=no-writes
${READ}
local replies = {}
for i, key in ipairs(KEYS) do
  replies[i] = read(ARGV[i], key)
  replies[#KEYS + i] = digest(replies[i])
end
return replies
`;

/**
 * Compare and set, in one script. Every word of it is checked before the first command runs, since an error of the
 * script itself would leave those before it done. `#!lua` makes Redis refuse the whole script where it is out of memory.
 *
 * KEYS     the fence, then each key that was read, then each collection; last the counter of the premise, where there is one
 * ARGV     the premise: the name of the history and the least that the counter may be, or "" and "";
 *          "0", "1" or "2" for each key that was read, in one word: absent, present, or no string; the values of those that are
 *          present; the kind and the digest of each collection;
 *          then the commands, each as the number of its words and these words
 * returns  the replies, errors among them; null where a key has another value by now, the fence is there, or the premise
 *          does not hold
 */
const COMPARE_AND_SET = `#!lua
${READ}
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
for from = 2, #present + 1, MOST do
  local to = math.min(from + MOST - 1, #present + 1)
  local values = redis.call('MGET', unpack(KEYS, from, to))
  for i = 1, to - from + 1 do
    local state = string.byte(present, from + i - 2)
    local expected = false
    if state == 49 then
      expected = ARGV[argument]
      argument = argument + 1
    elseif state == 48 and redis.call('EXISTS', KEYS[from + i - 1]) == 1 then
      return false
    end
    if values[i] ~= expected then return false end
  end
end
for i = #present + 2, last do
  if digest(read(ARGV[argument], KEYS[i])) ~= ARGV[argument + 1] then return false end
  argument = argument + 2
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
  readonly #dedicated: boolean;
  #read: Read = { keys: [], values: [], otherTypes: undefined, collections: [] };

  private constructor({ connection, sha }: Shared, openOwn: () => Promise<Connection>, dedicated: boolean) {
    this.connection = connection;
    this.#sha = sha;
    this.#openOwn = openOwn;
    this.#dedicated = dedicated;
  }

  /** Lanes that share one connection as long as it holds, then the next one. */
  static sharing(open: () => Promise<Connection>, dedicated: boolean): OpenLane {
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
      return new ScriptLane(await (shared ??= load()), open, dedicated);
    };
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
    const asks = [valuesBeside(probe, keys), ...probe.commands, ...count, ...contentsOf(collections)];
    const all = await connection.pipeline(asks);
    const [probed, values] = parted(all[0], probe);
    const asked = 1 + probe.commands.length + count.length;
    const replies = [...probed, ...all.slice(1, 1 + probe.commands.length)];
    const existing = count.length > 0 ? (all[asked - 1] as number) : undefined;
    const answers = collections.length > 0 ? (all[asked] as (Reply | Error)[]) : [];
    const contents = answers.slice(0, collections.length);
    const zipped = collections.map((collection, i) => [collection, contents[i] ?? []] as const);
    const types = await otherTypes(connection, keys, values, existing, zipped);
    const digests = answers.slice(collections.length) as string[];
    this.#read = {
      keys,
      values,
      otherTypes: types,
      collections: collections.map((collection, i) => ({ ...collection, digest: digests[i] ?? "" })),
    };
    return { values, replies, otherTypes: types, collections: contents };
  }

  async endsOf(keys: readonly string[]): Promise<(number | null)[]> {
    const ends = keys.map((key) => ({ kind: "end", key }) as const);
    const answers = (await this.connection.pipeline(contentsOf(ends)))[0] as (Reply | Error)[];
    const digests = answers.slice(ends.length) as string[];
    const read = ends.map((end, i) => ({ ...end, digest: digests[i] ?? "" }));
    this.#read = { ...this.#read, collections: [...this.#read.collections, ...read] };
    return toEnds(answers.slice(0, ends.length));
  }

  async commit(commands: readonly Command[], premise?: Premise): Promise<(Reply | Error)[] | null> {
    for (const words of commands) {
      if (words.length > MAX_WORDS) throw new RangeError(`${words[0]} has more than ${MAX_WORDS} arguments`);
    }
    const { keys, values, otherTypes: types, collections } = this.#read;
    const state = (value: string | null, i: number): string =>
      value !== null ? "1" : this.#dedicated || types?.has(keys[i] ?? "") ? "2" : "0";
    const args = [
      this.identity.fence,
      ...keys,
      ...collections.map(({ key }) => key),
      ...(premise === undefined ? ["", ""] : [premise.counter.key, premise.history, premise.counter.least]),
      values.map(state).join(""),
      ...values.filter((value) => value !== null),
      ...collections.flatMap(({ kind, digest }) => [kind, digest]),
      ...commands.flatMap((words) => [words.length, ...this.connection.prefixed(words)]),
    ];
    const count = 1 + keys.length + collections.length + (premise === undefined ? 0 : 1);
    const run = (): Promise<unknown> => this.connection.script(this.#sha, count, args);
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

/** What is read and compared besides values. */
interface Compared {
  readonly kind: Collection["kind"] | "end";
  readonly key: string;
}

/** What the commit compares with. */
interface Read extends Omit<Reading, "collections" | "replies"> {
  readonly keys: readonly string[];
  readonly collections: readonly (Compared & { readonly digest: string })[];
}

interface Shared {
  readonly connection: Connection;
  readonly sha: string;
}

function contentsOf(collections: readonly Compared[]): Command[] {
  if (collections.length === 0) return [];
  const kinds = collections.map(({ kind }) => kind);
  return [["eval", READ_COLLECTIONS, collections.length, ...collections.map(({ key }) => key), ...kinds]];
}

async function loadScript(connection: Connection): Promise<string> {
  const [sha] = await connection.pipeline([["script", "LOAD", COMPARE_AND_SET]]);
  return sha as string;
}

/** Somebody has flushed the server's scripts, so nothing was run. */
function isUnknownScript(error: unknown): boolean {
  return error instanceof ServerRefusedError && error.message.startsWith("NOSCRIPT");
}
