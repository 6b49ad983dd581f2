/** What reads, compares, repairs and turns back a log knows that keys end. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { adopt, copyLog, diff, planRepair, repair, restoreTo } from "../../src/tools/index.ts";
import { openFileStore, type LoggedRedis } from "../../src/index.ts";
import { append, begun, entry } from "../support/logs.ts";
import { outcome, records, replayed, stage, stateOf, until } from "../support/stage.ts";
import { verified } from "./support.ts";

const on = stage();
const MINUTE = 60_000;

const put = (state: LoggedRedis, values: Record<string, { value: unknown; ttl: number | null }>): Promise<null> =>
  state.occ.transact([], () => ({ result: null, setWithTtl: values }));

async function filled() {
  const store = await on.store();
  const state = on.open({ store, expiry: true });
  await put(state, { a: { value: 1, ttl: null }, s: { value: 1, ttl: MINUTE }, short: { value: 1, ttl: 150 } });
  return { store, state, end: await on.outside.pexpiretime("s") };
}

test("adopt takes keys over with the time that they have to live, if it is told so", async () => {
  await on.outside.mset({ a: "1", b: "2" });
  await on.outside.set("s", "[1]", "PX", MINUTE);
  await on.outside.set("short", "1", "PX", 400);
  expect(await outcome(adopt({ url: on.redis.url, store: await on.store() }))).toMatchObject({
    name: "RangeError",
    message: expect.stringContaining("expiry") as unknown,
  });
  const end = await on.outside.pexpiretime("s");
  const store = await on.store();
  expect(await adopt({ url: on.redis.url, store, expiry: true })).toEqual({ keys: 4 });
  expect((await records(store.folder))[0]).toMatchObject({ op: "adopt", ends: { s: end } });
  await until(async () => (await on.outside.exists("short")) === 0);
  const state = on.open({ store, expiry: true });
  await state.ready();
  expect(await stateOf(on.outside)).toEqual({ a: "1", b: "2", s: "[1]" });
  expect(await on.outside.pexpiretime("s")).toBe(end);
  expect((await store.begins()).get(2)).toMatchObject({ format: 2 });
});

test("keys that end while they are adopted are nobody's write, and are left out", async () => {
  for (let i = 0; i < 2_000; i++) await on.outside.set(`s:${i}`, "1", "PX", 1 + (i % 200));
  const store = await on.store();
  const { keys } = await adopt({ url: on.redis.url, store, expiry: true });
  expect(keys).toBeLessThan(2_000);
  await sleep(250);
  expect(await replayed(on, store.folder)).toEqual({});
});

test("diff: a key that has ended is no difference, one that ends at another instant is", async () => {
  const { store, state, end } = await filled();
  await until(async () => (await on.outside.exists("short")) === 0);
  expect(await diff(store, on.redis.url)).toEqual({ keys: 2, differences: [] });
  await on.outside.pexpireat("s", end + 1_000);
  await on.outside.pexpireat("a", end);
  const { differences } = await diff(store, on.redis.url);
  expect([...differences].sort((x, y) => x.key.localeCompare(y.key))).toEqual([
    { key: "a", log: "1", redis: "1", ends: { log: null, redis: end } },
    { key: "s", log: "1", redis: "1", ends: { log: end, redis: end + 1_000 } },
  ]);
  await on.outside.del("s");
  await on.outside.persist("a");
  expect((await diff(store, on.redis.url)).differences).toEqual([
    { key: "s", log: "1", redis: null, ends: { log: end, redis: null } },
  ]);
  await state.close();
});

test("diff: while keys are set and end, nothing is called a difference", async () => {
  const { store, state } = await filled();
  const writing = (async () => {
    for (let i = 0; i < 150; i++)
      await put(state, { [`k:${i % 9}`]: { value: i, ttl: 1 + (i % 40) }, a: { value: i, ttl: null } });
    return "done";
  })();
  while ((await Promise.race([writing, sleep(0)])) !== "done")
    expect((await diff(store, on.redis.url)).differences).toEqual([]);
});

test("back to an earlier moment, a key ends when it was to end then; what has ended since does not come back", async () => {
  const { store, state, end } = await filled();
  await put(state, { s: { value: 2, ttl: 10 * MINUTE }, a: { value: 1, ttl: MINUTE } });
  await put(state, { t: { value: 2, ttl: MINUTE } });
  await until(async () => (await on.outside.exists("short")) === 0);
  expect(await restoreTo({ store, moment: { n: 1 }, url: on.redis.url })).toMatchObject({ changed: 3 });
  expect(await stateOf(on.outside)).toEqual({ a: "1", s: "1" });
  expect([await on.outside.pexpiretime("s"), await on.outside.pexpiretime("a")]).toEqual([end, -1]);
  expect((await records(store.folder)).at(-1)).toMatchObject({ set: { s: 1, a: 1, t: null }, ends: { s: end } });
  expect((await store.begins()).get(2)).toMatchObject({ format: 2 });
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ a: "1", s: "1" });
});

test("a law sees the state before a record without what had ended by then", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 2 });
  const frames = [
    entry(1, 1, { s: 1, t: 1 }, { s: 2_500 }),
    entry(1, 2, { x: 1 }),
    entry(1, 3, { x: 2 }),
    entry(1, 4, { s: 2 }),
  ];
  await append(store, 1, ...frames.map((one) => [one]));
  const seen: unknown[] = [];
  await verified(store, (_, before) => (seen.push([before("s"), before("t")]), []));
  expect(seen).toEqual([
    [null, null],
    [1, 1],
    [null, 1],
    [null, 1],
  ]);
});

test("a copy and a repair keep the format of the epochs", async () => {
  const { store, state, end } = await filled();
  const copy = await on.store();
  await copyLog(store, () => Promise.resolve(copy));
  expect(await copy.begins()).toEqual(await store.begins());
  expect(await replayed(on, copy.folder)).toEqual({ a: "1", s: "1" });
  await on.outside.flushall();
  await put(state, { a: { value: 2, ttl: null } });
  await state.close();
  const begin = join(store.folder, "begin-00000002.json");
  const text = await readFile(begin, "utf8");
  await rm(begin);
  const repairable = await openFileStore({ folder: store.folder });
  expect((await repair(repairable, await planRepair(store))).epoch).toBeNull();
  expect(await readFile(begin, "utf8")).toBe(text);
  expect((await store.begins()).get(1)).toMatchObject({ format: 2 });
  expect(await on.outside.pexpiretime("s")).toBe(end);
});
