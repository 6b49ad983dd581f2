/**
 * `node bench/limits.ts [folder]`: what the machine itself allows, one resource at a time: appends with fdatasync into
 * the folder (default: the system's temporary one), Redis transactions and commands, and HTTP requests with an empty
 * function on the server of `npm run serve`. Costs are CPU time, which a busy machine changes less than rates.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Functions } from "../host/gateway/functions.ts";
import { FunctionServer } from "../host/http/server.ts";
import { Load } from "./load/load.ts";
import { range } from "./shop.ts";
import { spawnRedis } from "./spare-redis.ts";

/** Bytes of a frame of ten checkouts. */
const FRAME = 6_000;
const APPENDS = 1_000;
const TRANSACTIONS = 5_000;
const COMMANDS = 200_000;
const REQUESTS = 20_000;
const CONNECTIONS = 50;

if (process.send === undefined) {
  await appends(process.argv[2] ?? tmpdir());
  await redis();
  await http();
} else {
  await serveEmpty();
}

async function appends(folder: string): Promise<void> {
  const path = join(folder, `append-${process.pid}`);
  const file = await open(path, "ax");
  const { seconds } = await timed(async () => {
    for (let i = 0; i < APPENDS; i++) {
      await file.write(Buffer.alloc(FRAME, 97));
      await file.datasync();
    }
  });
  await file.close();
  await rm(path);
  print("appends with fdatasync, one after the other", APPENDS / seconds);
}

async function redis(): Promise<void> {
  const server = await spawnRedis();
  const client = new Redis(server.url);
  const transactions = await timed(async () => {
    for (let i = 0; i < TRANSACTIONS; i++) {
      await client
        .pipeline([
          ["watch", "guard", "key"],
          ["mget", "guard", "key"],
        ])
        .exec();
      await client
        .multi([
          ["set", "key", String(i)],
          ["xadd", "tail", "*", "r", "x".repeat(300)],
          ["xtrim", "tail", "MAXLEN", "10"],
        ])
        .exec();
    }
  });
  print("Redis transactions (WATCH, EXEC), one after the other", TRANSACTIONS / transactions.seconds);
  const commands = await timed(async () => {
    for (let i = 0; i < COMMANDS; i += 1_000)
      await client.pipeline(Array.from({ length: 1_000 }, () => ["get", "key"])).exec();
  });
  print("Redis commands in pipelines of 1,000, client included", COMMANDS / commands.seconds);
  client.disconnect();
  await server.stop();
}

async function http(): Promise<void> {
  const server = fork(import.meta.filename, { execArgv: ["--max-semi-space-size=64"] });
  const [port] = (await once(server, "message")) as [number];
  const url = `http://127.0.0.1:${port}`;
  const load = Load.start();
  const send = (): Promise<{ seconds: number }> =>
    load.run({ url, method: "POST", connections: CONNECTIONS, paths: range(REQUESTS).map((i) => `/run/${i}`) });
  await send();
  const before = await cpuOf(server);
  const { seconds } = await send();
  const each = ((await cpuOf(server)) - before) / REQUESTS;
  print(
    `HTTP requests at ${CONNECTIONS} connections, empty function`,
    REQUESTS / seconds,
    `, ${each.toFixed(3)} ms of the server's CPU each`,
  );
  load.stop();
  server.kill();
  await once(server, "close");
}

async function cpuOf(server: ReturnType<typeof fork>): Promise<number> {
  server.send("cpu");
  const [milliseconds] = (await once(server, "message")) as [number];
  return milliseconds;
}

/** In a process of its own. */
async function serveEmpty(): Promise<void> {
  const description = {
    name: "run",
    handler: "",
    timeout: 30_000,
    memoryMegabytes: 512,
    routes: [{ method: "POST", resource: "/run/{x}" }],
    schedules: [],
  };
  const empty = async (): Promise<object> => ({ statusCode: 200, body: "" });
  const functions = new Functions(
    { service: "limits", stage: "offline", environment: {}, functions: [description] },
    async () => empty,
  );
  const admission = { concurrency: 512, queue: 0, patience: 1 };
  const server = new FunctionServer({
    functions,
    admission,
    probe: async () => ({}),
    isOwn: () => false,
    callsItself: false,
  });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1_000);
  });
  process.send?.(await server.listen(0, "127.0.0.1"));
}

async function timed(work: () => Promise<void>): Promise<{ seconds: number }> {
  const started = performance.now();
  await work();
  return { seconds: (performance.now() - started) / 1_000 };
}

function print(what: string, perSecond: number, more = ""): void {
  process.stdout.write(`${what.padEnd(58)} ${perSecond.toFixed(0).padStart(8)}/s${more}\n`);
}
