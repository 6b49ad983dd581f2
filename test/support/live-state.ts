/** What a Redis holds, and what a log alone makes of an empty one. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { isInternal, LoggedRedis, openFileStore } from "log-replay";
import { startRedis } from "../../layers/redis-occ/test/support/redis.ts";

/** Each key's text, and each index's members with their scores. */
export type Content = ReadonlyMap<string, string>;

const INDEX = "log:index:";
const CHUNK = 1_000;

/**
 * All that is state, and the indexes that are derived from it, but not what the log and the transactions keep for
 * themselves.
 */
export async function contentOf(url: string): Promise<Content> {
  return withRedis(url, async (redis) => {
    const keys = (await redis.keys("*")).sort();
    const content = new Map<string, string>();
    for (const index of keys.filter((key) => key.startsWith(INDEX)))
      content.set(index, (await redis.zrange(index, "0", "-1", "WITHSCORES")).join(" "));
    const state = keys.filter((key) => !isInternal(key));
    for (let i = 0; i < state.length; i += CHUNK) {
      const part = state.slice(i, i + CHUNK);
      for (const [j, text] of (await redis.mget(part)).entries()) content.set(part[j]!, text ?? "");
    }
    return content;
  });
}

/** Orders whose checkout is open, null while the state is not there. */
export async function openClaims(url: string): Promise<number | null> {
  return withRedis(url, async (redis) => {
    const replies = await redis.multi().exists("log:guard").keys("claim:*").exec();
    const [[, guard], [, claims]] = replies as [[unknown, number], [unknown, string[]]];
    return guard === 1 ? claims.length : null;
  });
}

export async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/**
 * The content of an empty Redis after a restore from a copy of the log; then it is emptied and restored once more.
 * @param scratch a Redis that is there for this; default: one that is started for it
 */
export async function replayTwice(
  folder: string,
  indexes: readonly string[],
  scratch?: string,
): Promise<[Content, Content]> {
  if (scratch === undefined) {
    const redis = await startRedis();
    return replayTwice(folder, indexes, redis.url).finally(() => redis.stop());
  }
  const copy = mkdtempSync(join(tmpdir(), "shop-log-"));
  cpSync(folder, copy, { recursive: true });
  const replay = async (): Promise<Content> => {
    await withRedis(scratch, (client) => client.flushall());
    const state = new LoggedRedis({
      url: scratch,
      store: await openFileStore({ folder: copy, durability: "os" }),
      indexes,
    });
    try {
      await state.ready({ timeout: 60_000 });
      return await contentOf(scratch);
    } finally {
      await state.close();
    }
  };
  try {
    return [await replay(), await replay()];
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The first few keys in which two contents differ. */
export function differences(a: Content, b: Content, most = 5): string[] {
  const keys = new Set([...a.keys(), ...b.keys()]);
  const different = [...keys].filter((key) => a.get(key) !== b.get(key));
  return different
    .slice(0, most)
    .map((key) => `${key}: ${short(a.get(key))} against ${short(b.get(key))} (${different.length} keys differ)`);
}

function short(text: string | undefined): string {
  return text === undefined ? "nothing" : text.slice(0, 200);
}
