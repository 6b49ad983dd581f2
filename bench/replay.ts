import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { LoggedRedis, openFileStore } from "log-replay";
import { Connection } from "redis-occ";

export interface ReplayResult {
  readonly records: number;
  readonly keys: number;
  readonly seconds: number;
}

/** Restores a log into an empty Redis of its own, through the same call that every function makes. */
export async function measureReplay(logFolder: string): Promise<ReplayResult> {
  return withRedis(async (port) => {
    let records = 0;
    const state = new LoggedRedis({
      url: `redis://127.0.0.1:${port}`,
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
export async function withRedis<T>(work: (port: number) => Promise<T>): Promise<T> {
  const port = await freePort();
  const redis = spawn(process.env["REDIS_SERVER"] || "redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  try {
    await answering(port);
    return await work(port);
  } finally {
    redis.kill();
    await once(redis, "close");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function answering(port: number): Promise<void> {
  for (;;) {
    try {
      return (await Connection.open({ url: `redis://127.0.0.1:${port}`, roundTripTimeout: 1_000 })).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
