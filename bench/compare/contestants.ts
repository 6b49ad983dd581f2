/** The same task for each: read a number, let plain code decide, write it, if nobody else has changed it meanwhile. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Occ, type CommitMode, type View } from "redis-occ";

/** Connections of those that have a pool: as many as redis-occ has by default. */
const CONNECTIONS = 8;
/** Milliseconds that a lock lives, and that somebody who finds it taken waits before the next look. */
const LOCK_LIFE = 10_000;
const LOCK_PAUSE = 5;

export interface Contestant {
  readonly name: string;
  readonly open: (url: string) => Promise<Counter>;
}

export interface Counter {
  /** @param id of this call: for those who do a thing once */
  add(key: string, id: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The rule of all that decide in plain code. */
const next = (text: string | null): number => Number(text ?? 0) + 1;

const occ = (name: string, commit: CommitMode, once = false): Contestant => ({
  name,
  open: async (url) => {
    const client = new Occ({ url, commit });
    const decide = (key: string) => (view: View) => {
      const value = (view.get<number>(key) ?? 0) + 1;
      return { result: value, set: { [key]: value } };
    };
    return {
      add: (key, id) => (once ? client.once(id, [key], decide(key)) : client.transact([key], decide(key))),
      close: () => client.close(),
    };
  },
});

/** As most people write it first: one connection for all, which WATCH does not survive. */
const sharedWatch: Contestant = {
  name: "ioredis, WATCH on one connection",
  open: async (url) => {
    const redis = new Redis(url);
    return { add: (key) => watched(redis, key), close: () => redis.quit() };
  },
};

const pooledWatch: Contestant = {
  name: "ioredis, WATCH, a pool of 8",
  open: async (url) => {
    const idle = Array.from({ length: CONNECTIONS }, () => new Redis(url));
    const all = [...idle];
    const waiting: ((redis: Redis) => void)[] = [];
    return {
      add: async (key) => {
        const redis = idle.pop() ?? (await new Promise<Redis>((resolve) => waiting.push(resolve)));
        try {
          return await watched(redis, key);
        } finally {
          const waiter = waiting.shift();
          if (waiter) waiter(redis);
          else idle.push(redis);
        }
      },
      close: () => Promise.all(all.map((redis) => redis.quit())),
    };
  },
};

/** Again at once when somebody else was faster. */
async function watched(redis: Redis, key: string): Promise<number> {
  for (;;) {
    await redis.watch(key);
    const value = next(await redis.get(key));
    if ((await redis.multi().set(key, value).exec()) !== null) return value;
  }
}

/** The rule in Lua, as a program of the server's. */
const lua: Contestant = {
  name: "ioredis, the rule in Lua",
  open: async (url) => {
    const redis = new Redis(url);
    redis.defineCommand("add", {
      numberOfKeys: 1,
      lua: "local value = tonumber(redis.call('GET', KEYS[1]) or 0) + 1 redis.call('SET', KEYS[1], value) return value",
    });
    const { add } = redis as unknown as { add: (key: string) => Promise<number> };
    return { add: (key) => add.call(redis, key), close: () => redis.quit() };
  },
};

/** What is compared and nobody else needs is installed apart. */
const installed = createRequire(join(import.meta.dirname, "others", "package.json"));

interface NodeRedis {
  watch(key: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  multi(): { set(key: string, value: string): { exec(): Promise<unknown> } };
  connect(): Promise<unknown>;
  close(): Promise<unknown>;
}

const nodeRedis: Contestant = {
  name: "node-redis, WATCH, its pool of 8",
  open: async (url) => {
    const { createClientPool, WatchError } = installed("redis") as {
      createClientPool: (
        client: object,
        pool: object,
      ) => NodeRedis & {
        execute<T>(work: (client: NodeRedis) => Promise<T>): Promise<T>;
      };
      WatchError: new () => Error;
    };
    const pool = createClientPool({ url }, { minimum: CONNECTIONS, maximum: CONNECTIONS, acquireTimeout: 60_000 });
    await pool.connect();
    const once = async (client: NodeRedis, key: string): Promise<number | null> => {
      await client.watch(key);
      const value = next(await client.get(key));
      try {
        await client.multi().set(key, String(value)).exec();
        return value;
      } catch (error) {
        if (error instanceof WatchError) return null;
        throw error;
      }
    };
    return {
      add: (key) =>
        pool.execute(async (client) => {
          for (;;) {
            const value = await once(client, key);
            if (value !== null) return value;
          }
        }),
      close: () => pool.close(),
    };
  },
};

interface Lock {
  unlock(): Promise<unknown>;
}

const redlock: Contestant = {
  name: "redlock, one Redis",
  open: async (url) => {
    const Redlock = installed("redlock") as new (
      clients: readonly Redis[],
      options: object,
    ) => { lock(name: string, life: number): Promise<Lock> };
    const redis = new Redis(url);
    const locks = new Redlock([redis], { retryCount: 100_000, retryDelay: LOCK_PAUSE, retryJitter: LOCK_PAUSE });
    return {
      add: async (key) => {
        const lock = await locks.lock(`lock:${key}`, LOCK_LIFE);
        try {
          const value = next(await redis.get(key));
          await redis.set(key, value);
          return value;
        } finally {
          await lock.unlock();
        }
      },
      close: () => redis.quit(),
    };
  },
};

/** Remembers results, and leaves the effect to whoever asks: here a WATCH on a pool. */
const powertools: Contestant = {
  name: "Powertools idempotency, and that pool",
  open: async (url) => {
    const { makeIdempotent, IdempotencyConfig } = installed("@aws-lambda-powertools/idempotency") as {
      makeIdempotent: <A extends readonly unknown[], T>(
        work: (...args: A) => Promise<T>,
        options: object,
      ) => typeof work;
      IdempotencyConfig: new (options: object) => { registerLambdaContext(context: object): void };
    };
    const { CachePersistenceLayer } = installed("@aws-lambda-powertools/idempotency/cache") as {
      CachePersistenceLayer: new (options: object) => object;
    };
    const { createClient } = installed("redis") as { createClient: (options: object) => NodeRedis };
    const client = createClient({ url });
    await client.connect();
    const pool = await pooledWatch.open(url);
    const config = new IdempotencyConfig({ eventKeyJmesPath: "id" });
    config.registerLambdaContext({ getRemainingTimeInMillis: () => LOCK_LIFE });
    const add = makeIdempotent(({ key, id }: { readonly key: string; readonly id: string }) => pool.add(key, id), {
      persistenceStore: new CachePersistenceLayer({ client }),
      config,
    });
    return { add: (key, id) => add({ key, id }), close: () => Promise.all([client.close(), pool.close()]) };
  },
};

export const CONTESTANTS: readonly Contestant[] = [
  occ("redis-occ", "watch"),
  occ("redis-occ, script", "script"),
  sharedWatch,
  pooledWatch,
  nodeRedis,
  redlock,
  lua,
  occ("redis-occ, once", "watch", true),
  powertools,
];
