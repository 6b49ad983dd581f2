import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import { Redis } from "ioredis";
import { noHook } from "../../src/hook.ts";
import { Occ, type CommitHook, type OccSettings, type Write } from "../../src/index.ts";
import { COMMIT_MODE, EXEC } from "./commit-mode.ts";
import { Proxy } from "./proxy.ts";
import { startRedis, type RedisServer, type RedisServerOptions } from "./redis.ts";

/**
 * What a test file stands on: one Redis for all its tests, which is emptied before each, and whatever they open, which
 * is closed after each.
 */
export interface Stage {
  readonly redis: RedisServer;
  /** An ordinary client, to look and to interfere from outside. */
  readonly outside: Redis;
  /** A client of the layer, on this Redis where the options do not say otherwise. */
  client(options?: OccSettings & { readonly url?: string }): Occ;
  /** Before this Redis, where no other port is given. */
  proxy(port?: number): Promise<Proxy>;
  /** A Redis of this test alone: to kill, to pause, to fill. */
  ownRedis(options?: RedisServerOptions): Promise<RedisServer>;
  connect(url: string): Redis;
  /** How often Redis ran a command since the test began. */
  calls(command: string): Promise<number>;
  json(key: string): Promise<unknown>;
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
    await outside.config("RESETSTAT");
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    outside.disconnect();
    await redis.stop();
  });

  return {
    get redis() {
      return redis;
    },
    get outside() {
      return outside;
    },
    client(options = {}) {
      const occ = new Occ({ url: redis.url, commit: COMMIT_MODE, ...options });
      endings.push(() => occ.close());
      return occ;
    },
    async proxy(port = redis.port) {
      const proxy = await Proxy.start(port);
      endings.push(() => proxy.close());
      return proxy;
    },
    async ownRedis(options) {
      const own = await startRedis(options);
      endings.push(() => own.stop());
      return own;
    },
    connect(url) {
      const client = new Redis(url);
      client.on("error", () => undefined);
      endings.push(() => client.disconnect());
      return client;
    },
    async calls(command) {
      const stats = await outside.info("commandstats");
      return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0);
    },
    async json(key) {
      const text = await outside.get(key);
      return text === null ? null : (JSON.parse(text) as unknown);
    },
  };
}

/** The rule that adds `n` to a number. */
export const add =
  (key: string, n = 1) =>
  (view: { get<T>(key: string): T | null }): { result: number; set: Record<string, number> } => {
    const value = (view.get<number>(key) ?? 0) + n;
    return { result: value, set: { [key]: value } };
  };

/** Lets something happen between the next WATCH and its EXEC: the EXEC waits for it at the proxy. */
export async function beforeExec(proxy: Proxy, happen: () => Promise<unknown>): Promise<void> {
  const held = await proxy.catchNext(EXEC);
  await happen();
  held.pass();
}

/** What became of a promise. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 5_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("it did not come about in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A hook that does nothing but what a test gives it. */
export function hookWith<Session = true>(own: Partial<CommitHook<Session>>): CommitHook {
  return { ...noHook, ...own };
}

export function refuse(message: string): never {
  throw new Error(message);
}

/** A promise that the test settles. */
export function gate<T = void>(): { promise: Promise<T>; open(value: T): void; break(error: unknown): void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { promise, open: resolve, break: reject };
}

/** What a hook was told of the writes, to compare with. */
export const plain = (writes: readonly Write[]): unknown =>
  writes.map(({ images, meta }) => ({ images: Object.fromEntries(images), meta }));
