import { expect, test } from "@jest/globals";
import { isInternal, LoggedRedis, type LoggedRedisOptions } from "../src/index.ts";
import { stage } from "./support/stage.ts";

const on = stage();

test.each([
  ["an option that does not exist", { lockTTL: 5 }],
  ["no store", { store: undefined }],
  ["a url of something else", { url: "http://127.0.0.1" }],
  ["a lock that expires at once", { lockTtl: 0 }],
  ["a lock of half a millisecond", { lockTtl: 0.5 }],
  ["a timeout of nothing", { timeout: 0 }],
  ["no connections", { connections: 0 }],
  ["an index of all keys", { indexes: [""] }],
  ["an index of the log's own keys", { indexes: ["log:x"] }],
])("%s is refused when the client is made", async (_name, wrong) => {
  const options = { url: on.redis.url, store: await on.store(), ...wrong } as unknown as LoggedRedisOptions;
  expect(() => new LoggedRedis(options)).toThrow(TypeError);
});

test("keys of a prefix that is not indexed cannot be listed", async () => {
  const state = on.open({ store: await on.store(), indexes: ["a:"] });
  await expect(state.keys("b:")).rejects.toThrow(TypeError);
});

test("keys are listed in the order of their last write, up to a time and a number", async () => {
  let now = 1_000;
  const state = on.open({ store: await on.store(), indexes: ["a:"], now: () => new Date(now) });
  for (const key of ["a:3", "a:1", "b:9", "a:2"]) {
    now += 10;
    await state.occ.transact([key], () => ({ result: 0, set: { [key]: 1 } }));
  }
  now += 10;
  await state.occ.transact(["a:3"], () => ({ result: 0, set: { "a:3": 2 } }));
  expect(await state.keys("a:")).toEqual(["a:1", "a:2", "a:3"]);
  expect(await state.keys("a:", { until: 1_040 })).toEqual(["a:1", "a:2"]);
  expect(await state.keys("a:", { limit: 1 })).toEqual(["a:1"]);
  await state.occ.transact(["a:1"], () => ({ result: 0, set: { "a:1": null } }));
  expect(await state.keys("a:")).toEqual(["a:2", "a:3"]);
});

test("the log's own keys are told from those of the state", () => {
  expect(["log:guard", "log:index:a:", "occ:fence:1"].map(isInternal)).toEqual([true, true, true]);
  expect(["a", "logs", "order:log:1"].map(isInternal)).toEqual([false, false, false]);
});
