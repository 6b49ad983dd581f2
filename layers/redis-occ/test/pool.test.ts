import { expect, test } from "@jest/globals";
import { ClosedError, Connection, ConnectionLostError } from "../src/index.ts";
import { Pool } from "../src/pool.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";
import { add, hookWith, outcome, stage, until } from "./support/stage.ts";

const on = stage();

const open = (): Promise<Connection> => Connection.open({ url: on.redis.url, roundTripTimeout: 1_000 });

/** Connections that Redis has, besides the one that asks. */
async function connections(): Promise<number> {
  return ((await on.outside.client("LIST")) as string).trim().split("\n").length - 1;
}

const killAll = (): Promise<unknown> => on.outside.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("the number of connections is bounded, and all who wait for one are served", async () => {
  let most = 0;
  const hook = hookWith({
    async check() {
      most = Math.max(most, await connections());
      await pause(5);
      return true;
    },
  });
  const occ = on.client({ connections: 3, hook });
  await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => occ.transactAlone([`k${i}`], add(`k${i}`))),
    ...Array.from({ length: 20 }, (_, i) => occ.transact([`k${i}`], add(`k${i}`))),
    occ.read(["k1"]),
    occ.query([["ping"]]),
  ]);
  expect(most).toBe(COMMIT_MODE === "watch" ? 3 : 1);
  for (let i = 0; i < 20; i++) expect(await on.json(`k${i}`)).toBe(2);
});

test("one connection is enough for everything", async () => {
  const occ = on.client({ connections: 1 });
  const work = Array.from({ length: 10 }, () => [
    occ.transact(["n"], add("n")),
    occ.transactAlone(["n"], add("n")),
    occ.read(["n"]),
  ]);
  await Promise.all(work.flat());
  expect(await on.json("n")).toBe(20);
});

test("dead connections are replaced by the next who needs one, and never exceed the bound", async () => {
  const occ = on.client({ connections: 4 });
  for (let i = 1; i <= 5; i++) {
    await Promise.all(Array.from({ length: 8 }, () => occ.transactAlone(["n"], add("n"))));
    await killAll();
    expect(await connections()).toBe(0);
  }
  await Promise.all(Array.from({ length: 8 }, () => occ.transactAlone(["n"], add("n"))));
  expect(await connections()).toBeLessThanOrEqual(4);
  expect(await on.json("n")).toBe(48);
});

test("a connection that dies never reconnects by itself", async () => {
  const connection = await open();
  await connection.pipeline([["watch", "n"]]);
  await killAll();
  await until(() => connection.broken);
  await pause(500);
  expect(await connections()).toBe(0);
  await expect(connection.pipeline([["ping"]])).rejects.toBeInstanceOf(ConnectionLostError);
  await expect(connection.transaction([["ping"]])).rejects.toBeInstanceOf(ConnectionLostError);
});

test("a connection that is down queues nothing for later", async () => {
  const redis = await on.ownRedis();
  const connection = await Connection.open({ url: redis.url, roundTripTimeout: 60_000 });
  await redis.kill();
  await expect(connection.pipeline([["set", "n", "1"]])).rejects.toBeInstanceOf(ConnectionLostError);
});

test("each connection knows its server by run_id", async () => {
  const own = await on.ownRedis();
  const [a, b] = [await open(), await open()];
  const c = await Connection.open({ url: own.url, roundTripTimeout: 500 });
  expect(a.runId).toMatch(/^[0-9a-f]{40}$/);
  expect(b.runId).toBe(a.runId);
  expect(c.runId).not.toBe(a.runId);
  for (const connection of [a, b, c]) connection.close();
});

test("a server that hangs is given up after the round trip timeout, without waiting for its good bye", async () => {
  const redis = await on.ownRedis();
  const connection = await Connection.open({ url: redis.url, roundTripTimeout: 100 });
  redis.pause();
  const error = await outcome(connection.pipeline([["ping"]]));
  expect(error).toMatchObject({ code: "connection_lost", message: expect.stringContaining("100 ms") as unknown });
  expect(await outcome(Connection.open({ url: redis.url, roundTripTimeout: 100 }))).toBeInstanceOf(ConnectionLostError);
  expect(connection.broken).toBe(true);
});

test("a connection that cannot be opened gives its place back, and whoever waits behind it tries in turn", async () => {
  let opened = 0;
  const pool = new Pool(async () => {
    opened++;
    if (opened <= 3) throw new ConnectionLostError("refused");
    return open();
  }, 1);
  expect(await outcome(pool.with(() => Promise.resolve("alone")))).toBeInstanceOf(ConnectionLostError);
  const outcomes = await Promise.all(Array.from({ length: 6 }, (_, i) => outcome(pool.with(() => Promise.resolve(i)))));
  expect(outcomes.slice(0, 2).every((end) => end instanceof ConnectionLostError)).toBe(true);
  expect(outcomes.slice(2)).toEqual([2, 3, 4, 5]);
  expect(await connections()).toBe(1);
  pool.close();
});

test("a borrower that fails gives its connection back", async () => {
  const pool = new Pool(open, 1);
  await outcome(pool.with(() => Promise.reject(new Error("my fault"))));
  expect(await pool.with((connection) => connection.pipeline([["ping"]]))).toEqual(["PONG"]);
  pool.close();
});

test("close reaches every connection: idle, lent, just being opened or handed over; waiters get a ClosedError", async () => {
  for (let turn = 0; turn < 8; turn++) {
    const pool = new Pool(open, 2);
    await Promise.all([pool.with((connection) => connection.pipeline([["ping"]])), pool.with(() => pause(5))]);
    const busy = Array.from({ length: 6 }, () => outcome(pool.with((connection) => connection.pipeline([["ping"]]))));
    for (let i = 0; i < turn; i++) await Promise.resolve();
    if (turn > 4) await pause(1);
    pool.close();
    for (const end of await Promise.all(busy)) {
      if (end instanceof Error)
        expect([ClosedError, ConnectionLostError].some((type) => end instanceof type)).toBe(true);
    }
    await until(async () => (await connections()) === 0, 2_000);
  }
});

test("a connection on which an attempt failed is not lent with its WATCH: the next read is not aborted by it", async () => {
  let bad = true;
  const hook = hookWith({
    stage: () => {
      if (bad) throw new Error("not today");
      return [];
    },
  });
  const occ = on.client({ connections: 1, hook });
  expect(await outcome(occ.transact(["n"], add("n")))).toEqual(new Error("not today"));
  bad = false;
  await on.outside.set("n", "7");
  expect(await occ.read(["n"])).toEqual([7]);
  expect(await on.calls("exec")).toBe(1);
});
