/** What reads, compares, checks and turns back a log knows hashes. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { fields, type Decision } from "redis-occ";
import { readHistory, stateAt, type LoggedRedis } from "../../src/index.ts";
import { adopt, copyLog, diff, restoreTo } from "../../src/tools/index.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";
import { outcome, records, replayed, stage, stateOf } from "../support/stage.ts";
import { verified } from "./support.ts";

const on = stage();
const MINUTE = 60_000;
const restored = (folder: string) => replayed(on, folder, [], { hashes: true });

const put = (state: LoggedRedis, decision: Omit<Decision<null>, "result">): Promise<null> =>
  state.occ.transact([], () => ({ ...decision, result: null }));

async function filled() {
  const store = await on.store();
  const state = on.open({ store, hashes: true, expiry: true });
  await put(state, { set: { h: fields({ b: 1, a: 1 }), s: '{"a":1}' } });
  await put(state, { set: { h: fields({ b: 2, c: 3 }), g: fields({ x: 1 }) } });
  return { store, state };
}

test("the past has hashes as they were: as an object, and field by field", async () => {
  const { store } = await filled();
  const first = await stateAt(store, { n: 1 });
  expect(textOf(first)).toEqual({ h: '{"a":1,"b":1}', s: '"{\\"a\\":1}"' });
  expect(first.images.get("h")?.fields).toEqual(
    new Map([
      ["b", "1"],
      ["a", "1"],
    ]),
  );
  expect(first.images.get("s")).not.toHaveProperty("fields");
  expect(textOf(await stateAt(store))).toMatchObject({ h: '{"a":1,"b":2,"c":3}', g: '{"x":1}' });
  const changed = [];
  for await (const record of readHistory(store)) changed.push(record.fields);
  expect(changed).toEqual([{ h: { b: 1, a: 1 } }, { h: { b: 2, c: 3 }, g: { x: 1 } }]);
});

describe("diff", () => {
  test("finds a field that was changed, added or removed in Redis, and a hash in place of a string with its text", async () => {
    const { store, state } = await filled();
    expect(await diff(store, on.redis.url)).toEqual({ keys: 3, differences: [] });
    const hash = { log: true, redis: true };
    await on.outside.hset("h", "b", "9");
    expect((await diff(store, on.redis.url)).differences).toEqual([
      { key: "h", log: '{"a":1,"b":2,"c":3}', redis: '{"a":1,"b":9,"c":3}', hash },
    ]);
    await on.outside.hset("h", "b", "2", "d", "not JSON");
    await on.outside.hdel("h", "a");
    await on.outside.del("g", "s");
    await on.outside.set("g", '{"x":1}');
    await on.outside.hset("s", "a", "1");
    await on.outside.pexpire("h", MINUTE);
    const { differences } = await diff(store, on.redis.url);
    expect([...differences].sort((x, y) => x.key.localeCompare(y.key))).toEqual([
      { key: "g", log: '{"x":1}', redis: '{"x":1}', hash: { log: true, redis: false } },
      {
        key: "h",
        log: '{"a":1,"b":2,"c":3}',
        redis: '{"b":2,"c":3,"d":not JSON}',
        hash,
        ends: { log: null, redis: await on.outside.pexpiretime("h") },
      },
      { key: "s", log: '"{\\"a\\":1}"', redis: '{"a":1}', hash: { log: false, redis: true } },
    ]);
    await on.outside.del("h", "g", "s");
    expect((await diff(store, on.redis.url)).differences.map(({ key, redis }) => [key, redis]).sort()).toEqual([
      ["g", null],
      ["h", null],
      ["s", null],
    ]);
    await state.close();
  });

  test("calls nothing a difference while fields change", async () => {
    const { store, state } = await filled();
    const writing = (async () => {
      for (let i = 0; i < 150; i++)
        await put(state, {
          set: {
            h: fields({ [`f${i % 5}`]: i, [`f${(i + 2) % 5}`]: null }),
            [`k${i % 3}`]: i % 7 ? fields({ i }) : null,
          },
        });
      return "done";
    })();
    while ((await Promise.race([writing, sleep(0)])) !== "done")
      expect((await diff(store, on.redis.url)).differences).toEqual([]);
  });
});

describe("verify", () => {
  test("finds fields that change of what is not there, and of a string; what has ended by then may be", async () => {
    const store = await on.store();
    await begun(store, 1, { parent: 0, cut: 0, format: 3 });
    await append(
      store,
      1,
      [entry(1, 1, { h: null, s: 1 }, { h: 500 }, { h: { a: 1 } })],
      [entry(1, 2, {}, { h: 500 }, { h: { b: 1 } })],
      [entry(1, 3, {}, {}, { none: { a: 1 } })],
      [entry(1, 4, {}, {}, { s: { a: 1 } })],
      [entry(1, 5, { h: null })],
      [entry(1, 6, {}, {}, { h: { a: 1 } })],
      [entry(1, 7, { k: null, h: null }, {}, { k: { a: 1 } })],
      [entry(1, 8, {}, {}, { k: { a: null, b: 1 } })],
    );
    const { damages } = await verified(store);
    expect(damages.map((text) => text.replace(/^[^:]*:/, ""))).toEqual([
      "3: it changes fields of none, which is not there",
      "4: it changes fields of s, which holds a string",
      "6: it changes fields of h, which is not there",
    ]);
  });

  test("a law sees the fields before a record", async () => {
    const { store } = await filled();
    const seen: unknown[] = [];
    await verified(store, ({ n }, before) => (seen.push([n, before("h"), before("g"), before("s")]), []));
    expect(seen).toEqual([
      [1, null, null, null],
      [2, { a: 1, b: 1 }, null, '{"a":1}'],
    ]);
  });

  test("a record that changes fields of a string, which nobody can have written, stops a restore as damage", async () => {
    for (const filler of [1, 1_200]) {
      const store = await on.store();
      await begun(store, 1, { parent: 0, cut: 0, format: 3 });
      const many = Object.fromEntries(Array.from({ length: filler }, (_, i) => [`k${i}`, i]));
      await append(store, 1, [entry(1, 1, { s: 1 })], [entry(1, 2, many)], [entry(1, 3, {}, {}, { s: { a: 1 } })]);
      const { url } = await on.ownRedis();
      const state = on.open({ url, store, hashes: true });
      expect(await outcome(state.ready({ timeout: 5_000 }))).toMatchObject({ code: "log_damaged" });
    }
  });
});

test("back to an earlier moment, a hash has the fields of then, or is a string again, or is none", async () => {
  const { store, state } = await filled();
  await put(state, { set: { h: fields({ b: null }), s: null } });
  await put(state, { set: { s: fields({ a: 1 }), g: null } });
  await put(state, { setWithTtl: { g: { value: fields({ y: 1 }), ttl: MINUTE } }, set: { t: fields({ a: 1 }) } });
  expect(await restoreTo({ store, moment: { n: 2 }, url: on.redis.url })).toMatchObject({ changed: 4 });
  const then = { h: { a: "1", b: "2", c: "3" }, s: '"{\\"a\\":1}"', g: { x: "1" } };
  expect(await stateOf(on.outside)).toEqual(then);
  expect(await on.outside.pexpiretime("g")).toBe(-1);
  expect((await records(store.folder)).at(-1)).toMatchObject({
    set: { h: null, s: '{"a":1}', g: null, t: null },
    fields: { h: { a: 1, b: 2, c: 3 }, g: { x: 1 } },
  });
  expect((await verified(store)).damages).toEqual([]);
  expect(await restored(store.folder)).toEqual(then);
  // What has not changed since is left alone.
  await put(state, { set: { h: fields({ b: 3 }) } });
  await put(state, { set: { h: fields({ b: 2 }) } });
  expect(await restoreTo({ store, moment: { n: 6 } })).toMatchObject({ changed: 0 });
  await put(state, { set: { h: fields({ b: 5 }) } });
  expect(await restoreTo({ store, moment: { n: 6 } })).toMatchObject({ changed: 1 });
  expect(await restored(store.folder)).toEqual(then);
  // To before there was anything.
  await restoreTo({ store, moment: { n: 0 } });
  expect(await restored(store.folder)).toEqual({});
});

describe("adopt", () => {
  test("takes hashes over that a Redis holds already, if it is told so, with their times to live", async () => {
    await on.outside.set("n", "1");
    for (let i = 0; i < 700; i++)
      await on.outside.hset(`h:${i}`, "a", "1", "b", ' { "c": 12345678901234567890 }', "__proto__", '"x"');
    await on.outside.pexpire("h:1", MINUTE);
    const end = await on.outside.pexpiretime("h:1");
    const before = await stateOf(on.outside);
    expect(await outcome(adopt({ url: on.redis.url, store: await on.store(), expiry: true }))).toMatchObject({
      code: "wrong_type",
      found: "hash",
    });
    const store = await on.store();
    expect(await adopt({ url: on.redis.url, store, hashes: true, expiry: true })).toEqual({ keys: 701 });
    const state = on.open({ store, hashes: true, expiry: true });
    await put(state, { set: { "h:1": fields({ a: 2 }) } });
    expect(await stateOf(on.outside)).toEqual({ ...before, "h:1": { ...(before["h:1"] as object), a: "2" } });
    expect(await on.outside.pexpiretime("h:1")).toBe(end);
    expect((await verified(store)).damages).toEqual([]);
    expect((await store.begins()).get(1)).toMatchObject({ format: 3 });
  });

  test.each<[string, () => Promise<unknown>, object]>([
    [
      "text that is no JSON",
      () => on.outside.hset("h", "a", "1", "b", "hello"),
      { code: "undecodable", key: "h", field: "b" },
    ],
    ["null", () => on.outside.hset("h", "a", "null"), { code: "undecodable", key: "h", field: "a" }],
    ["a list", () => on.outside.rpush("h", "1"), { code: "wrong_type", key: "h", found: "list" }],
  ])("refuses %s, by key and field", async (_, make, error) => {
    await make();
    expect(await outcome(adopt({ url: on.redis.url, store: await on.store(), hashes: true }))).toMatchObject(error);
    expect(await on.outside.keys("*")).toEqual(["h"]);
  });
});

test("a copy has the hashes", async () => {
  const { store } = await filled();
  const copy = await on.store();
  await copyLog(store, () => Promise.resolve(copy));
  expect(await restored(copy.folder)).toEqual(await stateOf(on.outside));
});
