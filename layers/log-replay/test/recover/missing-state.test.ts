import { describe, expect, test } from "@jest/globals";
import { add, replayed, stage, stateOf } from "../support/stage.ts";
import { EXEC } from "../../../redis-occ/test/support/commit-mode.ts";
import { entry, filled } from "../support/logs.ts";

const on = stage();

describe("no write on missing state, and no answer from it", () => {
  test("an empty Redis is restored before a transaction, a read, a list of keys", async () => {
    const { folder } = await filled(on);
    const live = await stateOf(on.outside);
    for (const use of ["transact", "read", "keys"] as const) {
      await on.outside.flushall();
      const state = on.open({ store: await on.store(folder), indexes: ["i:"] });
      if (use === "transact")
        expect(await state.occ.transact(["k:1"], (view) => ({ result: view.get("k:1") }))).toEqual(
          JSON.parse(live["k:1"] as string),
        );
      if (use === "read") expect(await state.occ.read(["k:1"])).toEqual([JSON.parse(live["k:1"] as string)]);
      if (use === "keys")
        expect(await state.keys("i:")).toEqual((live["log:index:i:"] as string[]).filter((_, i) => i % 2 === 0));
      expect(await stateOf(on.outside)).toEqual(live);
    }
  });

  test("a Redis that is flushed between WATCH and EXEC takes no write", async () => {
    const { folder } = await filled(on);
    const proxy = await on.proxy();
    const state = on.open({ url: proxy.url, store: await on.store(folder) });
    await state.occ.transact(["c"], add("c"));
    const executing = proxy.catchNext(EXEC);
    const answer = state.occ.transact(["c"], add("c"));
    const held = await executing;
    await on.outside.flushall();
    held.pass();
    expect(await answer).toBe(2);
    expect((await stateOf(on.outside))["c"]).toBe("2");
  });

  test("a Redis that is flushed between WATCH and EXEC takes no write of keys that were missing before either", async () => {
    const { folder } = await filled(on);
    const proxy = await on.proxy();
    const state = on.open({ url: proxy.url, store: await on.store(folder) });
    await state.ready();
    const executing = proxy.catchNext(EXEC);
    const answer = state.occ.transact(["fresh"], add("fresh"));
    const held = await executing;
    await on.outside.flushall();
    held.pass();
    expect(await answer).toBe(1);
    expect(Object.keys(await stateOf(on.outside)).length).toBeGreaterThan(60);
    expect(await replayed(on, folder)).toMatchObject({ fresh: "1" });
  });

  test("a Redis killed and started again, empty, is restored on the way", async () => {
    const { folder } = await filled(on);
    const server = await on.ownRedis();
    const state = on.open({ url: server.url, store: await on.store(folder) });
    await state.occ.transact(["c"], add("c"));
    await server.kill();
    const answer = state.occ.transact(["c"], add("c"));
    await on.ownRedis({ port: server.port });
    expect(await answer).toBe(2);
    expect(await state.occ.read(["c"])).toEqual([2]);
  });
});

describe("a stale Redis, an older copy of the data put back, is never obeyed", () => {
  /** Redis is saved, the state goes on, and Redis comes back with the older copy. */
  async function putBack(goOn: (state: ReturnType<typeof on.open>, folder: string) => Promise<unknown>) {
    const folder = (await on.store()).folder;
    const dumps = await on.folder();
    const args = ["--dir", dumps, "--dbfilename", "dump.rdb"];
    const server = await on.ownRedis({ args });
    const first = on.open({ url: server.url, store: await on.store(folder) });
    await first.occ.transact(["n"], add("n"));
    await on.connect(server.url).save();
    await goOn(first, folder);
    await first.close();
    await server.kill();
    const again = await on.ownRedis({ port: server.port, args });
    expect(await on.connect(again.url).get("n")).toBe("1");
    expect(await on.connect(again.url).get("log:guard")).not.toBeNull();
    return { folder, url: again.url };
  }

  test("the copy lacks the last commits: they are there before anything is answered", async () => {
    const { folder, url } = await putBack(async (state) => {
      for (let i = 0; i < 5; i++) await state.occ.transact(["n"], add("n"));
    });
    const state = on.open({ url, store: await on.store(folder) });
    expect(await state.occ.read(["n"])).toEqual([6]);
    expect(await state.occ.transact(["n"], add("n"))).toBe(7);
  });

  test("the copy has reached the same commit number as the log, with other content", async () => {
    const { folder, url } = await putBack(async (state) => {
      await state.occ.transact(["n"], add("n", 5));
    });
    // The copy goes on by itself to number 2, as a server would that was never told of the log's own number 2.
    const outside = on.connect(url);
    await outside
      .multi()
      .set("n", "1000")
      .xadd("log:tail", "1-2", "r", entry(1, 2, { n: 1000 }).body)
      .set("log:last", "2")
      .exec();
    const state = on.open({ url, store: await on.store(folder) });
    expect(await state.occ.read(["n"])).toEqual([6]);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });
});
