import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Connection } from "redis-occ";
import { freePorts } from "../host/ports.ts";

export interface SpareRedis {
  readonly url: string;
  stop(): Promise<void>;
}

/** A dump's name that no file has: it would begin with what others have saved in the folder that this runs in. */
const EMPTY = ["--dbfilename", `${randomUUID()}.rdb`];

/** An empty redis-server of the benchmark's own, without persistence. */
export async function spawnRedis(): Promise<SpareRedis> {
  const [port = 0] = await freePorts(1);
  const server = spawn(
    process.env["REDIS_SERVER"] || "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...EMPTY],
    { stdio: "ignore" },
  );
  const ended = once(server, "close");
  const url = `redis://127.0.0.1:${port}`;
  await answering(url);
  return {
    url,
    stop: async () => {
      server.kill();
      await ended;
    },
  };
}

async function answering(url: string): Promise<void> {
  for (let attempts = 0; attempts < 500; attempts++) {
    try {
      return (await Connection.open({ url, roundTripTimeout: 1_000 })).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`no Redis answers at ${url}`);
}
