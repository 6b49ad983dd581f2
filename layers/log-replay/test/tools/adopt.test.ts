import { expect, test } from "@jest/globals";
import { adopt } from "../../src/tools/index.ts";
import { add, outcome, records, replayed, stage, stateOf } from "../support/stage.ts";
import { tampered } from "../support/tampered-store.ts";
import { verified } from "./support.ts";

const on = stage();

test("what a Redis holds already becomes the log's first state: byte for byte, with indexes, and it goes on from there", async () => {
  const { outside } = on;
  const before: Record<string, string> = { n: "3", big: "12345678901234567890", spaced: '{ "a": [1,\n 2] }' };
  for (let i = 0; i < 1_200; i++) before[`k:${i}`] = `{"i":${i}}`;
  await outside.mset(before);
  const store = await on.store();
  expect(await outcome(on.open({ store }).ready())).toMatchObject({
    code: "log_mismatch",
    message: expect.stringContaining("adopt") as unknown,
  });

  expect(await adopt({ url: on.redis.url, store })).toEqual({ keys: 1_203 });

  const state = on.open({ store, indexes: ["k:"] });
  expect(await state.occ.transact(["n"], add("n"))).toBe(4);
  expect(await state.keys("k:", { limit: 2_000 })).toHaveLength(1_200);
  const expected = { ...before, n: "4", spaced: '{"a":[1,2]}' };
  expect(await stateOf(outside)).toMatchObject(expected);
  await state.close();
  expect(await replayed(on, store.folder)).toEqual(expected);
  expect((await records(store.folder))[0]).toMatchObject({ epoch: 1, n: 1, op: "adopt" });
  expect((await verified(store)).damages).toEqual([]);
});

test.each([
  ["a hash", async () => on.outside.hset("h", "a", "1"), { code: "wrong_type", key: "h", found: "hash" }],
  ["text that is no JSON", async () => on.outside.set("t", "hello"), { code: "undecodable", key: "t" }],
  ["null", async () => on.outside.set("t", "null"), { code: "undecodable", key: "t" }],
  ["a time to live", async () => on.outside.set("t", "1", "EX", 1_000), { name: "RangeError" }],
  ["a key of the log's own", async () => on.outside.set("occ:x", "1"), { name: "RangeError" }],
])("%s is refused, by its key, and Redis is left as it is", async (_, put, error) => {
  await on.outside.set("n", "1");
  await put();
  const keys = (await on.outside.keys("*")).sort();
  expect(await outcome(adopt({ url: on.redis.url, store: await on.store() }))).toMatchObject(error);
  expect((await on.outside.keys("*")).sort()).toEqual(keys);
});

test("whoever writes meanwhile is noticed: nothing is marked, and nothing is wiped", async () => {
  await on.outside.mset({ a: "1", b: "2" });
  const store = await on.store();
  const { createSegment } = store;
  store.createSegment = (epoch) => {
    const writer = createSegment.call(store, epoch);
    const { append } = writer;
    writer.append = async (frame) => {
      await on.outside.set("b", "3");
      return append.call(writer, frame);
    };
    return writer;
  };
  expect(await outcome(adopt({ url: on.redis.url, store }))).toMatchObject({
    code: "log_mismatch",
    message: expect.stringContaining("somebody wrote") as unknown,
  });
  expect(await stateOf(on.outside)).toEqual({ a: "1", b: "3" });
  expect(await on.outside.exists("log:store")).toBe(0);
  // And the next one begins with an empty store.
  expect(await outcome(adopt({ url: on.redis.url, store }))).toMatchObject({ code: "log_mismatch" });
  expect(await adopt({ url: on.redis.url, store: await on.store() })).toEqual({ keys: 2 });
});

test("whoever writes just before the mark is noticed too, and a lost connection leaves no mark behind: nothing is wiped", async () => {
  for (const end of ["pass", "cut"] as const) {
    await on.outside.flushall();
    await on.outside.set("n", "1");
    const store = await on.store();
    const proxy = await on.proxy();
    let held = 0;
    // Whatever could set a mark, or take it back, beside what is asked of the permissions before.
    for (const command of ["eval", "set", "del"])
      proxy.catchAll(command, (caught) => {
        const what = held++ === 0 ? end : "cut";
        void on.outside.set("n", "2").then(() => caught[what]());
      });
    expect(await outcome(adopt({ url: proxy.url, store }))).toMatchObject({
      code: end === "pass" ? "log_mismatch" : "connection_lost",
    });
    expect(await outcome(on.open({ store }).ready())).toMatchObject({ code: "log_mismatch" });
    expect(await stateOf(on.outside)).toEqual({ n: "2" });
    expect(await on.outside.exists("log:store")).toBe(0);
  }
});

test("a save does not hide a write, though it sets the count of writes back", async () => {
  const { url } = await on.ownRedis({ args: ["--dir", await on.folder()] });
  const outside = on.connect(url);
  await outside.set("n", "1");
  await outside.save();
  const store = tampered(await on.store(), {
    beforeAppend: async () => {
      await outside.set("n", "2");
      await outside.save();
    },
  });
  expect(await outcome(adopt({ url, store }))).toMatchObject({ code: "log_mismatch" });
  expect(await outside.exists("log:store")).toBe(0);
});

test("a recovery that ends the epoch in the middle of it: nothing is marked, because the log does not have the data", async () => {
  await on.outside.set("n", "1");
  const { folder } = await on.store();
  const other = on.open({ url: (await on.ownRedis()).url, store: await on.store(folder) });
  const store = tampered(await on.store(folder), {
    beforeAppend: async () => void (await other.occ.transact(["n"], add("n", 5))),
  });
  expect(await outcome(adopt({ url: on.redis.url, store }))).toMatchObject({
    code: "log_mismatch",
    message: expect.stringContaining("begun by somebody else") as unknown,
  });
  expect(await outcome(on.open({ store: await on.store(folder) }).ready())).toMatchObject({ code: "log_mismatch" });
  expect(await stateOf(on.outside)).toEqual({ n: "1" });
});

test("a store that has a history, and a Redis that is a log's, are refused", async () => {
  const store = await on.store();
  await on.open({ store }).occ.transact(["n"], add("n"));
  expect(await outcome(adopt({ url: on.redis.url, store }))).toMatchObject({ code: "log_mismatch" });
  expect(await outcome(adopt({ url: on.redis.url, store: await on.store() }))).toMatchObject({ name: "RangeError" });
  expect(await stateOf(on.outside)).toEqual({ n: "1" });
});
