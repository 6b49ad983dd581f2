import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Occ, OccError, retry } from "../src/index.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";
import { freePort, startRedis, type RedisServer } from "./support/redis.ts";
import { add, outcome, until } from "./support/stage.ts";

let servers: RedisServer[];
/** A replication leaves files: they are of this test alone. */
let folder: string;
let sentinel: { readonly port: number; stop(): Promise<void> };

/** A server else waits five seconds for further replicas before it syncs one. */
const NO_DELAY = ["--repl-diskless-sync-delay", "0"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sentinel-"));
  const first = await startRedis({ args: ["--dir", folder, "--dbfilename", "first.rdb", ...NO_DELAY] });
  const replica = ["--dir", folder, "--dbfilename", "second.rdb", "--replicaof", "127.0.0.1", String(first.port)];
  servers = [first, await startRedis({ args: replica })];
  sentinel = await startSentinel(first.port);
  const look = new Redis(sentinel.port);
  await until(async () => ((await look.call("SENTINEL", "REPLICAS", "main")) as unknown[]).length === 1, 15_000);
  look.disconnect();
});

afterAll(async () => {
  await sentinel.stop();
  for (const server of servers) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a failover by a Sentinel: calls fail as transient at most, and go on at the new master, each once", async () => {
  const sentinels = [{ host: "127.0.0.1", port: sentinel.port }];
  const byOptions = new Occ({ redis: { sentinels, name: "main" }, commit: COMMIT_MODE });
  const byFunction = new Occ({
    connect: (settings) => new Redis({ ...settings, sentinels, name: "main" }),
    commit: COMMIT_MODE,
  });
  for (const occ of [byOptions, byFunction]) await occ.transact(["n"], add("n"));
  const replica = new Redis(servers[1]?.port ?? 0);
  await until(async () => (await replica.get("n")) === "2", 15_000);

  await servers[0]?.kill();
  const meanwhile = await outcome(byOptions.transact(["n"], add("n"), { timeout: 300 }));
  expect(meanwhile).toBeInstanceOf(OccError);
  expect(meanwhile).toMatchObject({ unchanged: true, transient: true });
  for (const [i, occ] of [byOptions, byFunction].entries()) {
    expect(await retry(() => occ.transact(["n"], add("n"), { timeout: 1_000 }), { timeout: 25_000 })).toBe(3 + i);
  }
  expect(await replica.get("n")).toBe("4");
  expect(await replica.role()).toContain("master");
  replica.disconnect();
  await Promise.all([byOptions.close(), byFunction.close()]);
}, 60_000);

async function startSentinel(master: number): Promise<typeof sentinel> {
  const file = join(folder, "sentinel.conf");
  const port = await freePort();
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `sentinel monitor main 127.0.0.1 ${master} 1`,
    "sentinel down-after-milliseconds main 500",
    "sentinel failover-timeout main 3000",
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const child = spawn(process.env["REDIS_SERVER"] ?? "redis-server", [file, "--sentinel"], { stdio: "ignore" });
  return {
    port,
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
