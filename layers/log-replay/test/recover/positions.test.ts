import { cp, readdir, rename, rm } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import type { Redis } from "ioredis";
import type { RedisServer } from "../../../redis-occ/test/support/redis.ts";
import { historyLines, verify } from "../../src/tools/index.ts";
import { openFileStore, type LoggedRedis, type LogStore } from "../../src/index.ts";
import { add, listener, outcome, replayed, stage, until } from "../support/stage.ts";

const on = stage();

async function commits(store: LogStore): Promise<number> {
  let count = 0;
  for await (const line of historyLines(store)) count += line.n > 0 ? 1 : 0;
  return count;
}

async function problems(folder: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const finding of verify(await openFileStore({ folder }))) found.push(finding);
  return found.filter((finding) => !("commits" in (finding as object)));
}

async function linkIsUp(replica: Redis): Promise<void> {
  await until(async () => (await replica.info("replication")).includes("master_link_status:up"), 20_000);
}

/** All keys as they are now, as DUMP gives them. */
async function dumpOf(client: Redis): Promise<Map<string, Buffer>> {
  const dump = new Map<string, Buffer>();
  for (const key of await client.keys("*")) dump.set(key, await client.dumpBuffer(key));
  return dump;
}

async function putBack(client: Redis, dump: ReadonlyMap<string, Buffer>, flush: boolean): Promise<void> {
  const restore = client.multi();
  if (flush) restore.flushall();
  for (const [key, value] of dump) restore.restore(key, 0, value, "REPLACE");
  await restore.exec();
}

/** The state has `n`, and its next commit is in the log, whether a read or that commit comes first. */
async function goesOnFrom(n: number, state: LoggedRedis, folder: string, first: "read" | "transact"): Promise<void> {
  if (first === "read") expect(await state.occ.read(["n"])).toEqual([n]);
  expect(await state.occ.transact(["n"], add("n"))).toBe(n + 1);
  expect(await replayed(on, folder)).toEqual({ n: String(n + 1) });
}

/** A server that syncs at once, and one that follows it. */
async function twoServers(): Promise<{ a: RedisServer; atA: Redis; b: RedisServer; atB: Redis }> {
  // A sync leaves a dump behind: not where other servers of the tests would begin with it.
  const start = async (): Promise<RedisServer> =>
    on.ownRedis({ args: ["--repl-diskless-sync-delay", "0", "--dir", await on.folder()] });
  const [a, b] = [await start(), await start()];
  return { a, atA: on.connect(a.url), b, atB: on.connect(b.url) };
}

describe("data that go back in the same server process", () => {
  test("it follows a replica that lags, and returns: nothing that was answered is lost, in Redis or in the log", async () => {
    const { a, atA, b, atB } = await twoServers();
    const { folder } = await on.store();
    const state = on.open({ url: a.url, store: await on.store(folder) });
    await state.occ.transact(["n"], add("n", 10));
    await atB.replicaof("127.0.0.1", a.port);
    await linkIsUp(atB);
    expect(await state.occ.transact(["n"], add("n", -1))).toBe(9);
    await until(async () => (await atB.get("n")) === "9");
    await atB.replicaof("NO", "ONE");
    for (let left = 8; left >= 5; left--) expect(await state.occ.transact(["n"], add("n", -1))).toBe(left);
    await atA.replicaof("127.0.0.1", b.port);
    await linkIsUp(atA);
    await atA.replicaof("NO", "ONE");
    expect(await atA.get("n")).toBe("9");

    expect(await state.occ.read(["n"])).toEqual([5]);
    expect(await state.occ.transact(["n"], add("n", -1))).toBe(4);
    expect(await replayed(on, folder)).toEqual({ n: "4" });
    expect(await problems(folder)).toEqual([]);
  }, 60_000);

  test("the same, under a process that has seen nothing of what is missing: it does not answer from the older data", async () => {
    const { a, atA, b, atB } = await twoServers();
    const { folder } = await on.store();
    const writer = on.open({ url: a.url, store: await on.store(folder) });
    const reader = on.open({ url: a.url, store: await on.store(folder) });
    await writer.occ.transact(["n"], add("n"));
    await atB.replicaof("127.0.0.1", a.port);
    await linkIsUp(atB);
    expect(await writer.occ.transact(["n"], add("n"))).toBe(2);
    await until(async () => (await atB.get("n")) === "2");
    await atB.replicaof("NO", "ONE");
    expect(await reader.occ.read(["n"])).toEqual([2]);
    expect(await writer.occ.transact(["n"], add("n"))).toBe(3);
    await writer.close();
    await atA.replicaof("127.0.0.1", b.port);
    await linkIsUp(atA);
    await atA.replicaof("NO", "ONE");
    expect(await reader.occ.read(["n"])).toEqual([3]);
  }, 60_000);

  test.each([
    ["emptied and restored from a dump of its keys", true],
    ["restored from a dump of its keys, over what was there", false],
  ])("%s: the process that was there notices, reading and writing", async (_how, flush) => {
    for (const first of ["read", "transact"] as const) {
      await on.outside.flushall();
      const { folder } = await on.store();
      const state = on.open({ store: await on.store(folder) });
      await state.occ.transact(["n"], add("n"));
      const dump = await dumpOf(on.outside);
      for (let n = 2; n <= 4; n++) await state.occ.transact(["n"], add("n"));
      await putBack(on.outside, dump, flush);
      expect(await on.outside.get("n")).toBe("1");

      await goesOnFrom(4, state, folder, first);
      expect(await problems(folder)).toEqual([]);
      await state.close();
    }
  });

  test("put back from a former epoch: the process that has worked in a later one restores, reading and writing", async () => {
    for (const first of ["read", "transact"] as const) {
      await on.outside.flushall();
      const { folder } = await on.store();
      const state = on.open({ store: await on.store(folder) });
      await state.occ.transact(["n"], add("n"));
      const dump = await dumpOf(on.outside);
      await on.outside.del("log:guard");
      await state.occ.transact(["n"], add("n"));
      await putBack(on.outside, dump, true);

      await goesOnFrom(2, state, folder, first);
      await state.close();
    }
  });

  test("put back while nobody is there: a new process compares with the log's end before it answers", async () => {
    for (const first of ["read", "transact"] as const) {
      await on.outside.flushall();
      const { folder } = await on.store();
      const before = on.open({ store: await on.store(folder) });
      await before.occ.transact(["n"], add("n"));
      const dump = await dumpOf(on.outside);
      for (let n = 2; n <= 4; n++) await before.occ.transact(["n"], add("n"));
      await before.close();
      await putBack(on.outside, dump, true);

      const state = on.open({ store: await on.store(folder) });
      await goesOnFrom(4, state, folder, first);
      await state.close();
    }
  });

  test("put back under a process that has seen nothing of what is missing: it notices after a while", async () => {
    const { folder } = await on.store();
    const reader = on.open({ store: await on.store(folder) });
    const writer = on.open({ store: await on.store(folder) });
    await writer.occ.transact(["n"], add("n"));
    const dump = await dumpOf(on.outside);
    expect(await reader.occ.read(["n"])).toEqual([1]);
    await writer.occ.transact(["n"], add("n"));
    await writer.close();
    await putBack(on.outside, dump, true);
    await until(async () => (await reader.occ.read(["n"]))[0] === 2, 60_000);
  }, 90_000);

  test("DEBUG RELOAD NOSAVE: older data, the same run_id and the same history", async () => {
    const dumps = await on.folder();
    const server = await on.ownRedis({ args: ["--dir", dumps, "--enable-debug-command", "yes"] });
    const client = on.connect(server.url);
    const { folder } = await on.store();
    const state = on.open({ url: server.url, store: await on.store(folder) });
    await state.occ.transact(["n"], add("n"));
    await client.save();
    for (let n = 2; n <= 4; n++) await state.occ.transact(["n"], add("n"));
    await client.call("debug", "reload", "nosave");
    expect(await client.get("n")).toBe("1");
    expect(await state.occ.read(["n"])).toEqual([4]);
    expect(await state.occ.transact(["n"], add("n"))).toBe(5);
    expect(await replayed(on, folder)).toEqual({ n: "5" });
  });

  test("the first replica that attaches makes a new history of the same data: the guard gets its name, nothing is restored", async () => {
    const { a, atA, atB } = await twoServers();
    const { folder } = await on.store();
    const events = listener();
    const state = on.open({ url: a.url, store: await on.store(folder), onEvent: events.onEvent });
    await state.occ.transact(["n"], add("n"));
    const guard = JSON.parse((await atA.get("log:guard")) ?? "") as { replid: string };
    await atB.replicaof("127.0.0.1", a.port);
    await linkIsUp(atB);
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect(await state.occ.read(["n"])).toEqual([2]);
    const named = JSON.parse((await atA.get("log:guard")) ?? "") as { replid: string };
    expect(named).toEqual({ ...guard, replid: expect.not.stringMatching(guard.replid) });
    expect(await atA.info("replication")).toContain(named.replid);
    expect(events.count("restored")).toBe(1);
    expect(await (await on.store(folder)).claims()).toEqual([1]);
  }, 30_000);

  test("a commit that was on its way to the log when the data went back is answered only if it is in them", async () => {
    const { folder } = await on.store();
    const state = on.open({ store: await on.store(folder) });
    await state.occ.transact(["n"], add("n"));
    const dump = await dumpOf(on.outside);
    const before = Array.from({ length: 20 }, () => state.occ.transact(["n"], add("n")));
    await Promise.race(before);
    await putBack(on.outside, dump, true);
    const after = Array.from({ length: 20 }, () => state.occ.transact(["n"], add("n")));
    const answers = await Promise.all([...before, ...after]);
    expect(new Set(answers).size).toBe(40);
    expect(await replayed(on, folder)).toEqual({ n: "41" });
    expect(await problems(folder)).toEqual([]);
  });
});

describe("a log that is older than Redis", () => {
  /** A log with the first two of five commits, in the place of the whole one. */
  async function olderLog(): Promise<{ folder: string; newer: string }> {
    const { folder } = await on.store();
    const state = on.open({ store: await on.store(folder) });
    for (let n = 1; n <= 2; n++) await state.occ.transact(["n"], add("n"));
    const older = `${folder}.older`;
    await cp(folder, older, { recursive: true });
    for (let n = 3; n <= 5; n++) await state.occ.transact(["n"], add("n"));
    await state.close();
    const newer = `${folder}.newer`;
    await rename(folder, newer);
    await rename(older, folder);
    return { folder, newer };
  }

  test("is refused, with both positions, and nothing is written to it or wiped; with the right one all is there", async () => {
    const { folder, newer } = await olderLog();
    const files = await readdir(folder);
    const state = on.open({ store: await on.store(folder) });
    for (const use of [state.occ.read(["n"]), state.occ.transact(["n"], add("n"))]) {
      const error = await outcome(use);
      expect(error).toMatchObject({ code: "log_mismatch", retryable: false });
      expect(String(error)).toMatch(/ends with commit 2 .* commit 4 /);
    }
    await state.close();
    expect(await readdir(folder)).toEqual(files);
    expect(await on.outside.get("n")).toBe("5");

    await rename(folder, `${folder}.wrong`);
    await rename(newer, folder);
    const again = on.open({ store: await on.store(folder) });
    expect(await again.occ.transact(["n"], add("n"))).toBe(6);
  });

  test("is refused by a restore too, also where the server was started again with its data", async () => {
    const { folder } = await olderLog();
    const guard = JSON.parse((await on.outside.get("log:guard")) ?? "") as object;
    await on.outside.set("log:guard", JSON.stringify({ ...guard, run_id: "before" }));
    const state = on.open({ store: await on.store(folder) });
    expect(await outcome(state.occ.read(["n"]))).toMatchObject({ code: "log_mismatch" });
    expect(await (await on.store(folder)).claims()).toEqual([1]);
  });

  test("that does not have the beginning of the state's epoch, or another one, is refused", async () => {
    const { folder } = await on.store();
    const state = on.open({ store: await on.store(folder) });
    await state.occ.transact(["n"], add("n"));
    const [copy, cut] = [`${folder}.copy`, `${folder}.cut`];
    await cp(folder, copy, { recursive: true });
    for (let n = 2; n <= 3; n++) await state.occ.transact(["n"], add("n"));
    await on.outside.del("log:guard");
    expect(await state.occ.read(["n"])).toEqual([3]);
    await state.close();
    await cp(folder, cut, { recursive: true });
    await rm(`${cut}/begin-00000002.json`);
    // Somebody has tried whether the copy works, on a server of their own: it has an epoch of the same number.
    const elsewhere = on.open({ url: (await on.ownRedis()).url, store: await on.store(copy) });
    expect(await elsewhere.occ.read(["n"])).toEqual([1]);
    await elsewhere.close();

    for (const wrong of [copy, cut]) {
      const misled = on.open({ store: await on.store(wrong) });
      for (const use of [misled.occ.read(["n"]), misled.occ.transact(["n"], add("n"))])
        expect(await outcome(use)).toMatchObject({ code: "log_mismatch", retryable: false });
      await misled.close();
    }
    expect(await on.open({ store: await on.store(folder) }).occ.transact(["n"], add("n"))).toBe(4);
  });

  test("that lacks only what is in the tail yet is made whole", async () => {
    const { folder } = await on.store();
    const state = on.open({ store: await on.store(folder) });
    for (let n = 1; n <= 2; n++) await state.occ.transact(["n"], add("n"));
    await cp(folder, `${folder}.older`, { recursive: true });
    await state.occ.transact(["n"], add("n"));
    await state.close();
    await rename(folder, `${folder}.newer`);
    await rename(`${folder}.older`, folder);
    const again = on.open({ store: await on.store(folder) });
    expect(await again.occ.read(["n"])).toEqual([3]);
    expect(await again.occ.transact(["n"], add("n"))).toBe(4);
    expect(await commits(await on.store(folder))).toBe(4);
  });
});

describe("two servers that are alive", () => {
  test("what a process reads and refuses on the old one ends with the epoch: it goes on with the new one", async () => {
    const { folder } = await on.store();
    const [old, next] = [await on.ownRedis(), await on.ownRedis()];
    const proxy = await on.proxy(old);
    const a = on.open({ url: proxy.url, store: await on.store(folder) });
    await a.occ.transact(["n"], add("n", 10));
    const b = on.open({ url: next.url, store: await on.store(folder) });
    expect(await b.occ.transact(["n"], add("n", -9))).toBe(1);

    // New connections of `a` lead to the new one from here on; those that it has lead to the old one.
    proxy.lead(next.port);
    expect(await a.occ.read(["n"], { timeout: 2_000 })).toEqual([1]);
    const refusal = await outcome(
      a.occ.transact(["n"], (view) => {
        throw new Error(`there are ${view.get<number>("n")}`);
      }),
    );
    expect(refusal).toMatchObject({ message: "there are 1" });
    expect(await a.occ.transact(["n"], add("n"))).toBe(2);
  });

  test.each([true, false])(
    "a refusal on the old one that helps to append is no older than an answer from the new one (known there before: %s)",
    async (isKnown) => {
      const { folder } = await on.store();
      const old = await on.ownRedis();
      const late = on.open({ url: old.url, store: await on.store(folder) });
      if (isKnown) await late.ready();
      const writer = on.open({ url: old.url, store: await on.store(folder) });
      await writer.occ.transact(["n"], () => ({ result: 0, set: { n: 0 } }));
      await writer.close();
      const next = on.open({ store: await on.store(folder) });
      expect(await next.occ.transact(["n"], add("n", 5))).toBe(5);

      const refusal = await outcome(
        late.occ.transact(["n"], (view) => {
          throw new Error(`there are ${view.get<number>("n")}`);
        }),
      );
      expect(refusal).toMatchObject({ message: "there are 5" });
    },
  );

  test("the address leads back to the former one: the state is brought there", async () => {
    const { folder } = await on.store();
    const [old, next] = [await on.ownRedis(), await on.ownRedis()];
    const proxy = await on.proxy(old);
    const state = on.open({ url: proxy.url, store: await on.store(folder) });
    await state.occ.transact(["n"], add("n"));
    for (const [{ port }, n] of [
      [next, 2],
      [old, 3],
    ] as const) {
      proxy.lead(port);
      proxy.cut();
      expect(await state.occ.transact(["n"], add("n"))).toBe(n);
    }
    expect(await replayed(on, folder)).toEqual({ n: "3" });
  });

  test("where a look for the claim counts for a while, a restore elsewhere waits that out: no read is older than an answer", async () => {
    const LEASE = 1_000;
    const { folder } = await on.store();
    let looks = 0;
    const leased = async (): Promise<LogStore> => {
      const store = await openFileStore({ folder });
      const isSealed = store.isSealed.bind(store);
      return Object.assign(store, {
        readLease: LEASE,
        isSealed: (epoch: number) => (looks++, isSealed(epoch)),
      });
    };
    const [old, next] = [await on.ownRedis(), await on.ownRedis()];
    const a = on.open({ url: old.url, store: await leased() });
    await a.occ.transact(["n"], add("n", 10));
    await a.occ.read(["n"]);
    const [before, started] = [looks, performance.now()];
    for (let i = 0; i < 50; i++) expect(await a.occ.read(["n"])).toEqual([10]);
    // A comparison with the log's end each second looks too.
    expect(looks - before).toBeLessThanOrEqual(2 * Math.ceil((performance.now() - started) / LEASE));

    const events = new Map<string, number>();
    const b = on.open({
      url: next.url,
      store: await leased(),
      onEvent: ({ event }) => events.set(event, performance.now()),
    });
    expect(await b.occ.transact(["n"], add("n", -9))).toBe(1);
    expect(await a.occ.read(["n"])).toEqual([1]);
    expect((events.get("restored") ?? 0) - (events.get("restore started") ?? 0)).toBeGreaterThan(LEASE - 5);
  }, 30_000);

  test("a server that was demoted is given up by whoever only reads, too", async () => {
    const { a, atA, b } = await twoServers();
    const { folder } = await on.store();
    const proxy = await on.proxy(a);
    const reader = on.open({ url: proxy.url, store: await on.store(folder) });
    await reader.occ.transact(["n"], add("n"));
    proxy.lead(b.port);
    const writer = on.open({ url: b.url, store: await on.store(folder) });
    expect(await writer.occ.transact(["n"], add("n"))).toBe(2);
    await atA.replicaof("127.0.0.1", b.port);
    await linkIsUp(atA);
    expect(await reader.occ.read(["n"], { timeout: 3_000 })).toEqual([2]);
    expect(await reader.occ.transact(["n"], add("n"))).toBe(3);
  }, 30_000);
});
