import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import { Redis } from "ioredis";
import { COMMIT_MODE } from "../../../redis-occ/test/support/commit-mode.ts";
import { Proxy } from "../../../redis-occ/test/support/proxy.ts";
import { startRedis, type RedisServer, type RedisServerOptions } from "../../../redis-occ/test/support/redis.ts";
import {
  createFileStore,
  isInternal,
  LoggedRedis,
  openFileStore,
  type LogEvent,
  type LoggedRedisOptions,
  type LogStore,
} from "../../src/index.ts";

/**
 * What a test file stands on: one Redis, which is emptied before each test, and whatever a test opens, which is closed
 * after it.
 */
export interface Stage {
  readonly redis: RedisServer;
  /** An ordinary client, to look and to interfere from outside. */
  readonly outside: Redis;
  folder(): Promise<string>;
  /** A new log store in a folder of its own, or one more on a `folder` that is there. */
  store(folder?: string): Promise<LogStore & { readonly folder: string }>;
  open(options: Partial<LoggedRedisOptions> & { readonly store: LogStore }): LoggedRedis;
  ownRedis(options?: RedisServerOptions): Promise<RedisServer>;
  proxy(target?: RedisServer): Promise<Proxy>;
  connect(url: string): Redis;
  /** Run after the test, last one first. */
  after(end: () => unknown): void;
}

export function stage(): Stage {
  let redis: RedisServer;
  let outside: Redis;
  const endings: (() => unknown)[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    outside = new Redis(redis.url);
  });
  beforeEach(async () => {
    await outside.flushall();
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    outside.disconnect();
    await redis.stop();
  });

  const own: Stage = {
    get redis() {
      return redis;
    },
    get outside() {
      return outside;
    },
    async folder() {
      const folder = await mkdtemp(join(tmpdir(), "log-replay-"));
      endings.push(() => rm(folder, { recursive: true, force: true }));
      return folder;
    },
    async store(given) {
      const folder = given ?? (await own.folder());
      await createFileStore(folder);
      return Object.assign(await openFileStore({ folder }), { folder });
    },
    open(options) {
      const state = new LoggedRedis({ url: redis.url, commit: COMMIT_MODE, ...options });
      endings.push(() => state.close());
      return state;
    },
    async ownRedis(options) {
      const server = await startRedis(options);
      endings.push(() => server.stop());
      return server;
    },
    async proxy(target = redis) {
      const proxy = await Proxy.start(target.port);
      endings.push(() => proxy.close());
      return proxy;
    },
    connect(url) {
      const client = new Redis(url);
      client.on("error", () => undefined);
      endings.push(() => client.disconnect());
      return client;
    },
    after(end) {
      endings.push(end);
    },
  };
  return own;
}

/** The state key by key, fields of hashes as objects, and the indexes; without the log's own keys. */
export async function stateOf(client: Redis): Promise<Record<string, unknown>> {
  const keys = (await client.keys("*")).sort();
  const own = keys.filter((key) => !isInternal(key));
  const state: Record<string, unknown> = {};
  for (let i = 0; i < own.length; i += 1_000) {
    const part = own.slice(i, i + 1_000);
    const values = await client.mget(part);
    for (const [k, key] of part.entries()) state[key] = values[k] ?? (await client.hgetall(key));
  }
  for (const key of keys)
    if (key.startsWith("log:index:")) state[key] = await client.call("zrange", key, "0", "-1", "WITHSCORES");
  return state;
}

/** The state that the log alone gives, in a Redis of its own. */
export async function replayed(
  on: Stage,
  folder: string,
  indexes: readonly string[] = [],
  options: Pick<LoggedRedisOptions, "hashes"> = {},
): Promise<Record<string, unknown>> {
  const server = await on.ownRedis();
  const state = on.open({ url: server.url, store: await openFileStore({ folder }), indexes, ...options });
  await state.ready({ timeout: 60_000 }); // However slow the machine is, because the question is what it restores.
  await state.close();
  return stateOf(on.connect(server.url));
}

/** The lines of all segments, parsed, in the order of epoch and number, each once. */
export async function records(folder: string): Promise<Record<string, unknown>[]> {
  const byPlace = new Map<string, Record<string, unknown>>();
  for (const name of (await segmentsIn(folder)).sort()) {
    for (const line of (await readFile(join(folder, name), "utf8")).split("\n").filter(Boolean)) {
      const record = JSON.parse(line) as { epoch: number; n: number };
      byPlace.set(`${record.epoch}-${record.n}`, record);
    }
  }
  return [...byPlace.values()].sort(
    (a, b) => Number(a["epoch"]) - Number(b["epoch"]) || Number(a["n"]) - Number(b["n"]),
  );
}

export async function segmentsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^segment-.*\.jsonl$/.test(name));
}

/** The rule that adds `n` to a number. */
export const add =
  (key: string, n = 1) =>
  (view: { get<T>(key: string): T | null }): { result: number; set: Record<string, number> } => {
    const value = (view.get<number>(key) ?? 0) + n;
    return { result: value, set: { [key]: value } };
  };

/** Collects what a restore tells. */
export function listener(): {
  readonly events: LogEvent[];
  readonly onEvent: (event: LogEvent) => void;
  count(event: LogEvent["event"]): number;
} {
  const events: LogEvent[] = [];
  return {
    events,
    onEvent: (event) => events.push(event),
    count: (name) => events.filter(({ event }) => event === name).length,
  };
}

/** What became of a promise. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** True where the promise is still pending after `milliseconds`. */
export async function waits(promise: Promise<unknown>, milliseconds = 100): Promise<boolean> {
  const pending = Symbol();
  const late = new Promise((resolve) => setTimeout(resolve, milliseconds, pending));
  return (await Promise.race([outcome(promise), late])) === pending;
}

export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("it did not come about in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
