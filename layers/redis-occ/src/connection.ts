import type { Socket } from "node:net";
import { Command as RedisCommand, Redis, type RedisOptions } from "ioredis";
import { databaseIn, databaseOf, readable } from "./address.ts";
import type { Command } from "./command.ts";
import { AddressError, asOccError, ClusterError, ConnectionLostError, DatabaseError, isServerReply } from "./errors.ts";
import { failPoint } from "./fail-points.ts";
import { JoinedWrite } from "./joined-write.ts";
import { checkFunction } from "./options.ts";

/** A reply as ioredis gives it for strings. */
export type Reply = string | number | null | Reply[];

/** The words of one command, its name included. Redis takes more, and serves nobody else while it works on them. */
const MAX_WORDS = 65_536;

const UTF8 = { replyEncoding: "utf8" } as const;

/**
 * Where Redis is: exactly one of these.
 *
 * @example
 * const source: ConnectionSource = {
 *   connect: (settings) => new Redis({ sentinels: [{ host: "sentinel", port: 26379 }], name: "main", ...settings }),
 * };
 */
export type ConnectionSource = ByUrl | ByOptions | ByFunction;

interface ByUrl {
  /** `redis://[[user]:password@]host:port[/db]`, `rediss://…`, `unix:/path`. Of ioredis's options it may carry `keyPrefix`. */
  readonly url: string;
  readonly redis?: undefined;
  readonly connect?: undefined;
}

interface ByOptions {
  /** Options of ioredis: Sentinel, TLS, `keyPrefix`. What says how it reconnects and queues is this package's to say. */
  readonly redis: RedisOptions;
  readonly url?: undefined;
  readonly connect?: undefined;
}

interface ByFunction {
  /**
   * Makes a client of ioredis, a new one at each call: where addresses or passwords change while the process runs.
   * @param settings what this package needs to be set, whatever else is
   */
  readonly connect: (settings: RequiredSettings) => Redis | Promise<Redis>;
  readonly url?: undefined;
  readonly redis?: undefined;
}

/**
 * Options of ioredis without which a connection could not be trusted. Their types are exact: so they can be spread among others
 * with `exactOptionalPropertyTypes`, too.
 *
 * @example
 * const connect = (settings: RequiredSettings) => new Redis({ host: "redis", tls: {}, ...settings });
 */
export interface RequiredSettings {
  readonly lazyConnect: true;
  readonly retryStrategy: () => null;
  readonly reconnectOnError: null;
  readonly sentinelRetryStrategy: () => null;
  readonly sentinelReconnectStrategy: () => null;
  readonly enableOfflineQueue: false;
  readonly enableReadyCheck: false;
  /** The shape of replies is that of RESP2, whatever ioredis prefers. */
  readonly protocol: 2;
  readonly maxRetriesPerRequest: 0;
  readonly autoResendUnfulfilledCommands: false;
  readonly connectTimeout: number;
  /** A server that hangs never closes its side: without this, ioredis would wait two more seconds for that. */
  readonly disconnectTimeout: 0;
  readonly noDelay: true;
}

/**
 * What `Connection.open` needs.
 *
 * @example
 * const options: ConnectionOptions = { url, roundTripTimeout: 2_000 };
 */
export type ConnectionOptions = ConnectionSource & RoundTrips;

interface RoundTrips {
  /** Milliseconds for opening a connection, and for each round trip: a server that hangs is a lost one. */
  readonly roundTripTimeout: number;
}

/**
 * One connection and nothing but that connection.
 *
 * WATCH lives and dies with a connection, so this one never reconnects and never queues while it is down: ioredis would
 * silently do both, and drop WATCH on the way. It breaks once, and whoever used it opens another.
 *
 * @example
 * const connection = await Connection.open({ url, roundTripTimeout: 2_000 });
 * const [, seats] = await connection.pipeline([["watch", "seats"], ["get", "seats"]]);
 * const replies = await connection.transaction([["set", "seats", Number(seats) - 1]]); // null where somebody changed it meanwhile
 * connection.close();
 */
export class Connection {
  /** Identity of the server process behind it. A restarted Redis has another one. */
  readonly runId: string;
  readonly #redis: Redis;
  readonly #timeout: number;
  #broken = false;
  #lost = false;

  private constructor(redis: Redis, runId: string, timeout: number) {
    this.#redis = redis;
    this.#timeout = timeout;
    this.runId = runId;
    keepNobody(redis);
    redis.once("close", () => {
      if (!this.#broken) this.#lost = true;
      this.#broken = true;
    });
  }

  /**
   * @throws ConnectionLostError where no server answers in time; AddressError, DatabaseError, ClusterError and AccessError
   *   where waiting does not help
   */
  static async open({ roundTripTimeout, ...source }: ConnectionOptions): Promise<Connection> {
    const { redis, database } = await clientOf(source, roundTripTimeout);
    // ioredis would go on where SELECT fails.
    redis.options.db = 0;
    let reason: unknown;
    redis.on("error", (error: unknown) => (reason = error));
    try {
      const info = await bounded(
        redis,
        roundTripTimeout,
        redis.connect().then(async () => (await Promise.all([redis.info("server"), select(redis, database)]))[0]),
      );
      const runId = /^run_id:(\w+)/m.exec(info)?.[1];
      if (runId === undefined) throw new ConnectionLostError("the server does not tell its run_id");
      if (/^redis_mode:cluster/m.test(info))
        throw new ClusterError("this Redis is in cluster mode: name a server with cluster-enabled no");
      return new Connection(redis, runId, roundTripTimeout);
    } catch (error) {
      redis.disconnect();
      const why = reason === undefined || isServerReply(error) ? error : reason;
      throw otherServer(why) ?? asOccError(why);
    }
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** True where it broke, and was not closed by whoever had it. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Gives it up: what it leads to is not to be worked with any more. @returns the error to throw */
  lose(why: string, cause?: unknown): ConnectionLostError {
    if (!this.#broken) this.#lost = true;
    this.close();
    return new ConnectionLostError(why, { cause });
  }

  /**
   * Sends the commands in one write and gives their replies.
   * @throws ServerRefusedError or AccessError where Redis answers one of them with an error; ConnectionLostError otherwise;
   *   RangeError where a command has more than {@link MAX_WORDS} words: nothing was sent
   */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    this.#assertUsable();
    assertShort(commands);
    const replies = this.#write(commands);
    try {
      return await this.#bounded(Promise.all(replies));
    } catch (error) {
      throw this.#judged(error);
    }
  }

  /**
   * As `pipeline`, where some may be refused: what Redis answers to the commands from the `tolerated`th on is handed over as it
   * is, errors too.
   */
  async each(commands: readonly Command[], tolerated: number): Promise<(Reply | Error)[]> {
    this.#assertUsable();
    assertShort(commands);
    const replies = this.#write(commands).map((reply, i) =>
      i < tolerated
        ? reply
        : reply.catch((error: unknown) => {
            if (isServerReply(error)) return error as Error;
            throw error;
          }),
    );
    try {
      return await this.#bounded(Promise.all(replies));
    } catch (error) {
      throw asOccError(error);
    }
  }

  /**
   * Sends the commands as one MULTI … EXEC.
   *
   * An error among the replies of EXEC is returned as it is, because Redis has run the other commands all the same.
   * @returns the replies, or null where a watched key had changed
   * @throws ServerRefusedError where Redis refused a command and so discarded all of them; ConnectionLostError where
   *   the commands were not sent; {@link LostReplyError} where they were, and no answer came; RangeError as `pipeline`
   */
  async transaction(commands: readonly Command[]): Promise<(Reply | Error)[] | null> {
    this.#assertUsable();
    assertShort(commands);
    // If a command is refused, its own error comes first. EXEC says only that there was one.
    const replies = await this.#sendWrite(() => Promise.all(this.#write([["multi"], ...commands, ["exec"]])));
    return replies.at(-1) as (Reply | Error)[] | null;
  }

  /**
   * Runs a script that is loaded. All that it does happens at one instant.
   * @param keys how many of the arguments are keys
   * @throws ServerRefusedError where Redis refused it, so that nothing was run; ConnectionLostError and LostReplyError as `transaction`
   */
  async script(sha: string, keys: number, args: Command[number][]): Promise<unknown> {
    this.#assertUsable();
    const [reply] = await this.#sendWrite(() => Promise.all(this.#write([["evalsha", sha, keys, ...args]])));
    return reply;
  }

  /** The command with the connection's `keyPrefix` before its keys: for one that stands among a script's arguments. */
  prefixed(command: Command): Command {
    const { keyPrefix } = this.#redis.options;
    if (!keyPrefix) return command;
    const { args } = new RedisCommand(command[0], command.slice(1), { keyPrefix });
    return [command[0], ...(args as Command[number][])];
  }

  close(): void {
    this.#broken = true;
    this.#redis.disconnect();
  }

  #assertUsable(): void {
    if (this.#broken || this.#redis.status !== "ready") {
      throw this.lose("the connection is broken");
    }
  }

  /**
   * Puts the commands into one write.
   *
   * This is not a Pipeline of ioredis. Each of those gets a property of its own, and with it a hidden class that V8
   * keeps until it collects all of its memory, together with the pipeline's commands and replies.
   * @returns the replies to come, in order
   * @throws RangeError where a command is longer than a string can be: nothing was sent, and the connection is closed
   */
  #write(commands: readonly Command[]): Promise<Reply>[] {
    const { keyPrefix } = this.#redis.options;
    // Who sends commands by hand has to name the prefix by hand.
    const options = keyPrefix ? { ...UTF8, keyPrefix } : UTF8;
    const sent = commands.map((command) => new RedisCommand(command[0], command.slice(1), options));
    const { stream } = this.#redis;
    const joined = new JoinedWrite(stream);
    stream.cork();
    try {
      // It only writes to it, which its type does not say.
      for (const command of sent) void this.#redis.sendCommand(command, joined as unknown as Redis["stream"]);
      joined.end();
    } catch (error) {
      // The command is too long for a string, and those before it must not leave without it.
      for (const { promise } of sent) promise.catch(() => undefined);
      stream.destroy();
      this.close();
      throw error;
    } finally {
      stream.uncork();
    }
    return sent.map(({ promise }) => promise as Promise<Reply>);
  }

  /** A server that has become a replica refuses writes for good: whoever needs its primary has to connect anew. */
  #judged(error: unknown): Error {
    const known = asOccError(error);
    if (known instanceof ConnectionLostError) this.lose(known.message);
    else if (known.message.startsWith("READONLY ")) return this.lose("the server is a replica by now", error);
    return known;
  }

  #bounded<T>(replies: Promise<T>): Promise<T> {
    return bounded(this.#redis, this.#timeout, replies);
  }

  /** What is sent may have an effect even where no answer comes. */
  async #sendWrite<T>(send: () => Promise<T>): Promise<T> {
    await failPoint("exec.before");
    const sent = send();
    try {
      const reply = await this.#bounded(sent);
      await failPoint("exec.after");
      return reply;
    } catch (error) {
      if (isServerReply(error)) throw this.#judged(error);
      this.lose("no answer");
      throw new LostReplyError("the connection broke before the answer of EXEC came", { cause: error });
    }
  }
}

/** @throws TypeError unless exactly one of them is there, and makes sense */
export function checkSource({ url, redis, connect }: ConnectionSource): void {
  if ([url, redis, connect].filter((source) => source !== undefined).length !== 1)
    throw new TypeError("exactly one of url, redis and connect must say where Redis is");
  if (connect !== undefined) checkFunction("connect", connect);
  if (redis !== undefined && (typeof redis !== "object" || (redis as unknown) === null))
    throw new TypeError("redis must be an object of ioredis's options");
  if (url === undefined) return;
  if (typeof url !== "string" || !/^(redis|rediss|unix):/.test(url))
    throw new TypeError("url must begin with redis://, rediss:// or unix:");
  const query = url.includes("?") ? url.slice(url.indexOf("?") + 1) : "";
  for (const name of new URLSearchParams(query).keys())
    if (!OF_URL.has(name)) throw new TypeError(`url must not carry the option ${name}: use redis, or connect`);
}

/** What a URL may say besides the address. Others would come before what {@link required} says. */
const OF_URL: ReadonlySet<string> = new Set(["db", "family", "keyPrefix", "connectionName", "clientName"]);

/** Without these a client of ioredis would reconnect or queue, and drop WATCH on the way. @param timeout milliseconds */
function required(timeout: number): RequiredSettings {
  return {
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    sentinelRetryStrategy: () => null,
    sentinelReconnectStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    protocol: 2,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: timeout,
    disconnectTimeout: 0,
    noDelay: true,
  };
}

/** A client of ioredis that has yet to connect, and the index of the database that it is meant for. @throws AddressError, TypeError */
export async function clientOf(
  { url, redis, connect }: ConnectionSource,
  timeout: number,
): Promise<{ readonly redis: Redis; readonly database: number }> {
  const settings = required(timeout);
  if (url !== undefined) {
    const database = databaseOf(url);
    return { redis: readable(() => new Redis(url, settings)), database };
  }
  if (redis !== undefined) {
    const database = databaseIn(redis.db);
    // ioredis types some of its options as what they cannot be when they are handed over.
    return { redis: new Redis({ ...redis, ...settings } as never), database };
  }
  const made = (await connect(settings)) as Partial<Redis> | undefined;
  if (typeof made?.sendCommand !== "function" || made.status !== "wait")
    throw new TypeError("connect must give a new client of ioredis, made with the settings that it is handed");
  return { redis: made as Redis, database: databaseIn(made.options?.db) };
}

/** In the same write as what else opens a connection. @throws DatabaseError */
async function select(redis: Redis, database: number): Promise<void> {
  if (database === 0) return;
  try {
    await redis.select(database);
  } catch (cause) {
    // Anything else than ERR is about the server's present state, or about the user.
    if (!isServerReply(cause) || !(cause as Error).message.startsWith("ERR ")) throw cause;
    throw new DatabaseError(`database ${database} cannot be selected: ${(cause as Error).message}`, { cause });
  }
}

/** Undefined where a Redis may be behind it. The words of ioredis and OpenSSL do not say what is wrong with the address. */
function otherServer(error: unknown): AddressError | undefined {
  const { message, code } = (error ?? {}) as { readonly message?: string; readonly code?: string };
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return new AddressError("what answers at this address speaks no TLS");
  const [, first] = /^(?:Unknown RESP type \d+|Protocol error, got) "(.*?)"/s.exec(message ?? "") ?? [];
  if (first === undefined) return undefined;
  return new AddressError(`what answers at this address is no Redis: its answer begins with ${JSON.stringify(first)}`);
}

function assertShort(commands: readonly Command[]): void {
  const long = commands.find(({ length }) => length > MAX_WORDS);
  if (long !== undefined) throw new RangeError(`${long[0]} has more than ${MAX_WORDS} words`);
}

/** EXEC was sent and its answer is lost. fence-off.ts finds out whether it ran. */
export class LostReplyError extends ConnectionLostError {}

/** While something is under way its timer keeps the process alive; a connection that waits does not. */
export function keepNobody(redis: Redis): void {
  (redis.stream as Partial<Socket>).unref?.();
}

/** The promise's result. After `timeout` ms the connection is cut, which rejects whatever waits for it. */
export async function bounded<T>(redis: Redis, timeout: number, promise: Promise<T>): Promise<T> {
  let cut = false as boolean;
  const timer = setTimeout(() => {
    cut = true;
    redis.disconnect();
  }, timeout);
  const [outcome] = await Promise.allSettled([promise]);
  clearTimeout(timer);
  if (cut) throw new ConnectionLostError(`the server did not answer within ${timeout} ms`);
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
