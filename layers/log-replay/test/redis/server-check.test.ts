/** A server that cannot carry the state is refused before anything is claimed or changed, in words that say what to do. */
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { AccessError, DatabaseError, fields } from "redis-occ";
import type { RedisServer } from "../../../redis-occ/test/support/redis.ts";
import { compact, ReplicaError, ServerUnfitError, type LoggedRedisOptions, type LogStore } from "../../src/index.ts";
import { diff } from "../../src/tools/index.ts";
import { append, begun, entry } from "../support/logs.ts";
import { add, outcome, stage, stateOf, until } from "../support/stage.ts";

const on = stage();

type Use = Pick<LoggedRedisOptions, "commit" | "expiry" | "hashes">;

/** Every use of the state ends with the error at once; the store has no claim more, and Redis no key. */
async function expectRefused(
  server: Pick<RedisServer, "url">,
  error: object,
  store?: LogStore,
  use: Use = { commit: "watch" },
): Promise<void> {
  const log = store ?? (await on.store());
  const claims = await log.claims();
  const state = on.open({ url: server.url, store: log, ...use });
  for (const call of [
    () => state.ready({ timeout: 5_000 }),
    () => state.occ.transact(["n"], add("n")),
    () => state.occ.read(["n"]),
  ])
    expect(await outcome(call())).toMatchObject(error);
  expect(await log.claims()).toEqual(claims);
  expect((await log.begins()).size).toBe(claims.length);
}

/** Before a real server: what passes in its answers is changed, to the same length. */
async function saying(from: string, to: string): Promise<{ url: string }> {
  const server = createServer((client) => {
    const target = connect(on.redis.port, "127.0.0.1");
    client.pipe(target);
    target.on("data", (bytes) => client.write(Buffer.from(bytes.toString("latin1").replaceAll(from, to), "latin1")));
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  on.after(() => server.close());
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("a Redis older than 7 is refused", async () => {
  const version = /redis_version:(\d+)\./.exec(await on.outside.info("server"))?.[1] ?? "";
  const old = await saying(`redis_version:${version}`, `redis_version:${"6".padStart(version.length)}`);
  await expectRefused(old, {
    code: "redis_version",
    retryable: false,
    message: expect.stringContaining("7 or newer is needed") as unknown,
  });
  expect(await on.outside.dbsize()).toBe(0);
});

test("a node in cluster mode is refused", async () => {
  const node = await on.ownRedis({ args: ["--cluster-enabled", "yes", "--dir", await on.folder()] });
  await expectRefused(node, {
    code: "redis_cluster",
    message: expect.stringContaining("cluster-enabled no") as unknown,
  });
});

test("a replica is refused, and is told from what lasts: it may be promoted, and then is served from", async () => {
  // A sync leaves a dump behind.
  const own = ["--dir", await on.folder()];
  const replica = await on.ownRedis({ args: ["--replicaof", "127.0.0.1", String(on.redis.port), ...own] });
  const client = on.connect(replica.url);
  await until(async () => (await client.info("replication")).includes("master_link_status:up"));
  const store = await on.store();
  await expectRefused(replica, { code: "redis_replica", retryable: true }, store);
  const state = on.open({ url: replica.url, store });
  expect(await outcome(state.ready())).toBeInstanceOf(ReplicaError);
  await client.replicaof("NO", "ONE");
  expect(await state.occ.transact(["n"], add("n"))).toBe(1);
});

test.each(["allkeys-lru", "volatile-ttl"])("a Redis that throws keys away (%s) is refused", async (policy) => {
  const server = await on.ownRedis({ args: ["--maxmemory-policy", policy] });
  await expectRefused(server, {
    code: "redis_policy",
    retryable: false,
    message: expect.stringContaining("CONFIG SET maxmemory-policy noeviction") as unknown,
  });
  const store = await on.store();
  const state = on.open({ url: server.url, store });
  expect(await outcome(state.ready())).toBeInstanceOf(ServerUnfitError);
  await on.connect(server.url).config("SET", "maxmemory-policy", "noeviction");
  expect(await state.occ.transact(["n"], add("n"))).toBe(1);
});

test("a database that the server does not have is refused, and database 0 is left as it is", async () => {
  await on.outside.set("somebody", "else");
  await expectRefused({ url: `${on.redis.url}/16` }, { code: "redis_database", retryable: false });
  expect(await outcome(on.open({ url: `${on.redis.url}/16`, store: await on.store() }).ready())).toBeInstanceOf(
    DatabaseError,
  );
  expect(await on.outside.get("somebody")).toBe("else");
});

describe("too little memory", () => {
  /** One epoch with `count` commits, in frames of 500: each frame waits for the disk. */
  async function epochOf(count: number, images: (i: number) => Parameters<typeof entry>[2]) {
    const store = await on.store();
    await begun(store, 1);
    const entries = Array.from({ length: count }, (_, i) => entry(1, i + 1, images(i)));
    const frames = Array.from({ length: count / 500 }, (_, i) => entries.slice(500 * i, 500 * (i + 1)));
    await append(store, 1, ...frames);
    return store;
  }

  const large = (keys: number) => epochOf(keys, (i) => ({ [`k:${i}`]: "x".repeat(1_000) }));

  test("for the snapshot is seen before anything is claimed; with enough of it, it is restored", async () => {
    const store = await large(6_000);
    await compact(store);
    const server = await on.ownRedis({ args: ["--maxmemory", "4mb"] });
    await expectRefused(
      server,
      {
        code: "redis_memory",
        retryable: false,
        message: expect.stringMatching(/at least 4\.\d MiB.*is 4\.0 MiB/) as unknown,
      },
      store,
    );
    await on.connect(server.url).config("SET", "maxmemory", "64mb");
    await on.open({ url: server.url, store }).ready();
    expect(Object.keys(await stateOf(on.connect(server.url)))).toHaveLength(6_000);
  });

  test("for what comes after it is told as that, and one with just enough is not refused", async () => {
    const store = await large(6_000);
    const server = await on.ownRedis({ args: ["--maxmemory", "4mb"] });
    const error = await outcome(on.open({ url: server.url, store }).ready());
    expect(error).toMatchObject({ code: "redis_memory", retryable: false });
    await compact(store);
    const client = on.connect(server.url);
    await client.config("SET", "maxmemory", "0");
    await on.open({ url: server.url, store }).ready();
    const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
    const exact = await on.ownRedis({ args: ["--maxmemory", String(Math.round(used * 1.05))] });
    await on.open({ url: exact.url, store }).ready();
  });

  test("what takes least memory for its length in the log is not refused either", async () => {
    const store = await epochOf(20_000, (i) => ({ [`k${i}`]: 1 }));
    await compact(store);
    const free = await on.ownRedis();
    await on.open({ url: free.url, store }).ready({ timeout: 20_000 });
    const used = Number(/used_memory:(\d+)/.exec(await on.connect(free.url).info("memory"))?.[1]);
    const exact = await on.ownRedis({ args: ["--maxmemory", String(used + 500_000)] });
    await on.open({ url: exact.url, store }).ready({ timeout: 20_000 });
  });
});

describe("permissions", () => {
  const as = (user: string): string => `redis://${user}:p@127.0.0.1:${on.redis.port}`;

  test.each<[command: string, use: Use]>([
    ..."watch unwatch multi exec get set mget mset del pexpire incrby scan flushdb eval xadd xrange xtrim zadd zrem zrange"
      .split(" ")
      .map((command): [string, Use] => [command, { commit: "watch" }]),
    ["evalsha", { commit: "script" }],
    ["script|load", { commit: "script" }],
    ["pexpiretime", { commit: "watch", expiry: true }],
    ["time", { commit: "watch", expiry: true }],
    ..."exists type hgetall hset hdel pexpireat persist pexpiretime"
      .split(" ")
      .map((command): [string, Use] => [command, { commit: "watch", hashes: true }]),
  ])("without %s (%j) the user is refused, and told which it is", async (command, use) => {
    const user = `no-${command.replace("|", "-")}`;
    await on.outside.call("acl", "setuser", user, "reset", "on", ">p", "~*", "+@all", `-${command}`);
    const message = expect.stringContaining(`'${command}'`) as unknown;
    await expectRefused({ url: as(user) }, { code: "redis_access", retryable: false, message }, undefined, use);
    expect(await on.outside.dbsize()).toBe(0);
  });

  test("what a log takes in which keys end is asked of who does not let them, too", async () => {
    const store = await on.store();
    const state = on.open({ store, expiry: true });
    await state.ready();
    await state.close();
    await on.outside.call("acl", "setuser", "no-ends", "reset", "on", ">p", "~*", "+@all", "-pexpiretime");
    const message = expect.stringContaining("'pexpiretime'") as unknown;
    await expectRefused({ url: as("no-ends") }, { code: "redis_access", message }, store);
    await on.outside.flushall();
    await expectRefused({ url: as("no-ends") }, { code: "redis_access", message }, store);
  });

  test("without the keys of the log, or of the transactions, the user is refused", async () => {
    for (const keys of [["~item:*"], ["~item:*", "~log:*"]]) {
      await on.outside.call("acl", "setuser", "keyless", "reset", "on", ">p", "+@all", ...keys);
      await expectRefused({ url: as("keyless") }, { code: "redis_access", retryable: false });
    }
  });

  test("all that is missing is told at once", async () => {
    await on.outside.call("acl", "setuser", "few", "reset", "on", ">p", "~*", "+@all", "-scan", "-flushdb", "-zadd");
    const error = await outcome(on.open({ url: as("few"), store: await on.store() }).ready());
    expect(error).toBeInstanceOf(AccessError);
    for (const part of ["'scan'", "'flushdb'", "'zadd'"]) expect((error as Error).message).toContain(part);
  });

  test.each(["watch", "script"] as const)(
    "the ACL that the README names suffices as it stands (commit: %s): to restore, to write, alone and in groups, to list, to compare",
    async (commit) => {
      const readme = readFileSync(join(import.meta.dirname, "..", "..", "README.md"), "utf8");
      const documented = /^ACL SETUSER \S+ (.*)$/m.exec(readme)?.[1] ?? "none";
      await on.outside.call(
        "acl",
        "setuser",
        "documented",
        "reset",
        ...documented.replace(">PASSWORD", ">p").split(" "),
      );
      const store = await on.store();
      const options = { commit, expiry: true, hashes: true, indexes: ["k:"] };
      const state = on.open({ url: `${as("documented")}/1`, store, ...options });
      const write = (i: number) => state.occ.transact([`k:${i}`], add(`k:${i}`));
      await Promise.all(Array.from({ length: 50 }, (_, i) => write(i)));
      await state.occ.transact(["k:1"], () => ({ result: null, set: { "k:1": null } }));
      await state.occ.batch(Array.from({ length: 3 }, (_, i) => ({ keys: [`b:${i}`], decide: add(`b:${i}`) })));
      await state.occ.transact([], () => ({ result: null, setWithTtl: { s: { value: 1, ttl: 60_000 } } }));
      await state.occ.transact(["s"], add("s"));
      await state.occ.transact([], () => ({ result: null, set: { h: fields({ a: 1, b: 2 }) } }));
      for (const ttl of [60_000, null])
        await state.occ.transact([], () => ({ result: null, setWithTtl: { h: { value: fields({ b: null }), ttl } } }));
      expect(await state.keys("k:")).toHaveLength(49);
      await on.outside.flushall();
      expect(await state.occ.read(["k:2", "b:2"])).toEqual([1, 1]);
      expect((await diff(store, `${as("documented")}/1`)).differences).toEqual([]);
    },
  );
});

test("what it asks changes nothing, and is asked once by a process, not by a request", async () => {
  const store = await on.store();
  const first = on.open({ store });
  await first.occ.transact(["n"], add("n"));
  const before = await on.outside.keys("*");
  await on.outside.config("RESETSTAT");
  const second = on.open({ store });
  await second.ready();
  const asked = await on.outside.info("commandstats");
  expect(asked).toMatch(/cmdstat_flushdb:calls=1,/);
  expect((await on.outside.keys("*")).sort()).toEqual(before.sort());
  for (let i = 0; i < 20; i++) await second.occ.transact(["n"], add("n"));
  for (let i = 0; i < 20; i++) await second.occ.read(["n"]);
  expect(await on.outside.info("commandstats")).toMatch(/cmdstat_flushdb:calls=1,/);
});

test("a process that comes to a state which another one restored looks at the server too", async () => {
  const server = await on.ownRedis();
  const store = await on.store();
  await on.open({ url: server.url, store }).occ.transact(["n"], add("n"));
  await on.connect(server.url).config("SET", "maxmemory-policy", "allkeys-lfu");
  await expectRefused(server, { code: "redis_policy" }, store);
});
