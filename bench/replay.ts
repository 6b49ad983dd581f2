import { LoggedRedis, openFileStore } from "log-replay";
import { spawnRedis } from "./spare-redis.ts";

export interface ReplayResult {
  readonly records: number;
  readonly keys: number;
  readonly seconds: number;
}

/** Restores a log into an empty Redis of its own, through the same call that every function makes. */
export async function measureReplay(logFolder: string): Promise<ReplayResult> {
  return withRedis(async (url) => {
    let records = 0;
    const state = new LoggedRedis({
      url,
      store: await openFileStore({ folder: logFolder }),
      onEvent: (event) => {
        if (event.event === "restored") records = event.records;
      },
    });
    try {
      const started = performance.now();
      await state.ready({ timeout: 600_000 });
      const seconds = (performance.now() - started) / 1_000;
      const [size] = await state.occ.query([["dbsize"]]);
      return { records, keys: Number(size), seconds };
    } finally {
      await state.close();
    }
  });
}

/** Seconds that a restore takes. */
export async function restore(logFolder: string): Promise<number> {
  return (await measureReplay(logFolder)).seconds;
}

/** Runs something beside a Redis of its own, empty and without persistence. */
export async function withRedis<T>(work: (url: string) => Promise<T>): Promise<T> {
  const redis = await spawnRedis();
  try {
    return await work(redis.url);
  } finally {
    await redis.stop();
  }
}
