import { LoggedRedis, openFileStore } from "log-replay";
import { spawnRedis } from "./spare-redis.ts";

export interface ReplayResult {
  readonly records: number;
  readonly keys: number;
  readonly seconds: number;
}

/** Restores a log into an empty Redis of its own, through the same call that every function makes. */
export async function measureReplay(logFolder: string): Promise<ReplayResult> {
  const redis = await spawnRedis();
  let records = 0;
  const state = new LoggedRedis({
    url: redis.url,
    store: await openFileStore({ folder: logFolder }),
    onEvent: (event) => {
      if (event.event === "restored") records = event.records;
    },
  });
  try {
    const started = performance.now();
    await state.ready({ timeout: 60_000 });
    const seconds = (performance.now() - started) / 1_000;
    const [size] = await state.occ.query([["dbsize"]]);
    return { records, keys: Number(size), seconds };
  } finally {
    await state.close();
    await redis.stop();
  }
}
