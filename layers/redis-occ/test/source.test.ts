import { Redis, type RedisOptions } from "ioredis";
import { expect, test } from "@jest/globals";
import { Occ, type ConnectionSource, type RequiredSettings } from "../src/index.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";
import { add, outcome, stage } from "./support/stage.ts";

const on = stage();

test("a keyPrefix is honoured by whatever is read, watched, written and added: tenants do not meet", async () => {
  const a = on.client({ url: `${on.redis.url}/0?keyPrefix=a:` });
  const { port } = on.redis;
  const b = new Occ({ redis: { port, keyPrefix: "b:" }, commit: COMMIT_MODE });
  await using _ = b;
  for (const occ of [a, b]) {
    await occ.transact(["n"], (view) => ({
      ...add("n")(view),
      setWithTtl: { s: { value: 1, ttl: 60_000 } },
      commands: [
        ["zadd", "board", 1, "ann"],
        ["rename", "n", "m"],
      ],
    }));
    await occ.transact(["m"], add("m"));
    expect(await occ.read(["m", "n"])).toEqual([2, null]);
    expect(
      await occ.query([
        ["zrange", "board", 0, -1],
        ["exists", "m", "n"],
      ]),
    ).toEqual([["ann"], 1]);
    expect(await occ.transact([], (view) => ({ result: view.sortedSet("board").size }))).toBe(1);
    await occ.transact([], () => ({ result: 0, set: { s: null } }));
    expect(await outcome(occ.transact([], () => ({ result: 0, set: { board: 1 } })))).toMatchObject({ key: "board" });
  }
  const keys = (await on.outside.keys("*")).filter((key) => !/^[ab]:occ:marker:/.test(key)).sort();
  expect(keys).toEqual(["a:board", "a:m", "b:board", "b:m"]);
});

test("options of ioredis and a connect function lead to Redis as a url does", async () => {
  const { port } = on.redis;
  let made = 0;
  const sources: ConnectionSource[] = [
    { redis: { host: "127.0.0.1", port, db: 2 } },
    { connect: (settings) => (made++, new Redis({ ...settings, port, db: 2 })) },
    { connect: async (settings) => Promise.resolve(new Redis(`redis://127.0.0.1:${port}/2`, settings)) },
  ];
  for (const [i, source] of sources.entries()) {
    await using occ = new Occ({ ...source, commit: COMMIT_MODE });
    expect(await occ.transact(["n"], add("n"))).toBe(i + 1);
  }
  expect(made).toBe(1);
  await using occ = on.client({ url: `${on.redis.url}/2` });
  expect(await occ.read(["n"])).toEqual([3]);
});

test("a database that is not there, or is no number, is an error whoever names it, and database 0 is not taken in its place", async () => {
  const { port } = on.redis;
  await on.outside.set("n", "41");
  const naming = (db: unknown): Pick<RedisOptions, "db"> => ({ db: db as number });
  for (const [db, code] of [
    [16, "redis_database"],
    [NaN, "redis_address"],
    [-1, "redis_address"],
  ] as const) {
    for (const source of [
      { redis: { port, ...naming(db) } },
      { connect: (settings: RequiredSettings) => new Redis({ ...settings, port, ...naming(db) }) },
    ]) {
      await using occ = new Occ({ ...source, commit: COMMIT_MODE });
      for (const use of [occ.transact(["n"], add("n")), occ.read(["n"])])
        expect(await outcome(use)).toMatchObject({ code, unchanged: true, transient: false });
    }
  }
  await using asText = new Occ({ redis: { port, ...naming("1abc") }, commit: COMMIT_MODE });
  expect(await outcome(asText.read(["n"]))).toMatchObject({ code: "redis_address" });
  expect(await on.outside.get("n")).toBe("41");
});

test("what reconnects in silence is not let in: options that say so are overridden, a client that is not new is refused", async () => {
  const own = await on.ownRedis();
  await using occ = new Occ({
    redis: { port: own.port, retryStrategy: () => 1, enableOfflineQueue: true, maxRetriesPerRequest: 20 },
    commit: COMMIT_MODE,
  });
  expect(await occ.transact(["n"], add("n"))).toBe(1);
  await own.kill();
  expect(await outcome(occ.transact(["n"], add("n"), { timeout: 200 }))).toMatchObject({ code: "timeout" });

  const connected = on.connect(on.redis.url);
  for (const connect of [
    () => connected,
    () => new Redis(on.redis.url).on("error", () => undefined).disconnect(),
    () => undefined,
  ]) {
    await using refused = new Occ({ connect: connect as () => Redis });
    expect(await outcome(refused.read(["n"]))).toBeInstanceOf(TypeError);
  }
});

test("a connect function that fails is the caller's error to see; a later call may do better", async () => {
  let fails = true;
  await using occ = new Occ({
    connect: (settings) => {
      if (fails) throw new Error("no secret yet");
      return new Redis(on.redis.url, settings);
    },
  });
  expect(await outcome(occ.read(["n"]))).toEqual(new Error("no secret yet"));
  fails = false;
  expect(await occ.read(["n"])).toEqual([null]);
});
