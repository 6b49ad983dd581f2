/** A logged transaction may change fields of hashes; the log says which became what. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { fields, type Decision, type View } from "redis-occ";
import { compact, type LoggedRedis, type LoggedRedisOptions, type LogStore } from "../../src/index.ts";
import { FAIL_POINT_HOOK, type FailPointHook } from "../../../redis-occ/src/fail-points.ts";
import { EXEC } from "../../../redis-occ/test/support/commit-mode.ts";
import { diff, verify } from "../../src/tools/index.ts";
import { Worker } from "../support/crew.ts";
import { add, outcome, records, replayed, stage, stateOf, until } from "../support/stage.ts";

const on = stage();
const MINUTE = 60_000;

const open = async (options: Partial<LoggedRedisOptions> & { store?: LogStore } = {}) => {
  const store = options.store ?? (await on.store());
  return on.open({ hashes: true, expiry: true, ...options, store });
};
const put = (state: LoggedRedis, decision: Omit<Decision<null>, "result">, keys: string[] = []): Promise<null> =>
  state.occ.transact(keys, () => ({ ...decision, result: null }));
const held = (key: string): Promise<Record<string, string>> => on.outside.hgetall(key);
const restored = (folder: string) => replayed(on, folder, [], { hashes: true });

test("a record says which fields became what; a hash begins with nothing of a former one, and is deleted with its last field", async () => {
  const store = await on.store();
  const state = await open({ store });
  await put(state, { set: { cart: fields({ apple: 2, pear: { n: 1 } }), n: 1 } });
  await put(state, { set: { cart: fields({ apple: 3, pear: null }) } });
  await put(state, { set: { cart: fields({ plum: 1 }), n: 2 } });
  expect(await held("cart")).toEqual({ apple: "3", plum: "1" });
  await put(state, { set: { cart: fields({ apple: null, plum: null }) } });
  await put(state, { set: { cart: "a string", h: fields({ a: 1 }) } });
  await put(state, {
    set: [
      ["cart", null],
      ["h", null],
      ["h", fields({ b: 1 })],
    ],
  });
  const all = await records(store.folder);
  expect(all.map(({ set, fields: changed }) => [set, changed])).toEqual([
    [{ cart: null, n: 1 }, { cart: { apple: 2, pear: { n: 1 } } }],
    [{}, { cart: { apple: 3, pear: null } }],
    [{ n: 2 }, { cart: { plum: 1 } }],
    [{ cart: null }, undefined],
    [{ cart: "a string", h: null }, { h: { a: 1 } }],
    [{ cart: null, h: null }, { h: { b: 1 } }],
  ]);
  expect(Object.keys(all[0] ?? {})).toEqual(["epoch", "n", "at", "tx", "set", "fields", "crc", "frame"]);
  expect(await stateOf(on.outside)).toEqual({ n: "2", h: { b: "1" } });
  expect(await restored(store.folder)).toEqual({ n: "2", h: { b: "1" } });
});

test("in a group each transaction goes on from the hash that the one before it left; the log gives the same", async () => {
  const store = await on.store();
  const state = await open({ store });
  await put(state, { set: { h: fields({ n: 0, keep: 1 }) } });
  const counted = await Promise.all(
    Array.from({ length: 5 }, (_, i) =>
      state.occ.transact(["h"], (view) => {
        const n = (view.fields<number>("h").get("n") ?? 0) + 1;
        return { result: n, set: { h: fields({ n, [`f${i}`]: i, [`f${i - 2}`]: null }) } };
      }),
    ),
  );
  expect(counted).toEqual([1, 2, 3, 4, 5]);
  const whole = { n: "5", keep: "1", f3: "3", f4: "4" };
  expect(await held("h")).toEqual(whole);
  expect((await records(store.folder)).slice(1).map(({ fields: changed }) => changed)).toMatchObject([
    { h: { n: 1, f0: 0 } },
    { h: { n: 2, f1: 1 } },
    { h: { n: 3, f2: 2, f0: null } },
    { h: { n: 4 } },
    { h: { n: 5 } },
  ]);
  await Promise.all([
    put(state, { set: { g: fields({ a: 1 }) } }, ["g"]),
    put(state, { set: { g: fields({ a: null }) } }, ["g"]),
    put(state, { set: { g: fields({ b: 1 }) } }, ["g"]),
    put(state, { set: { h: null } }, ["h"]),
  ]);
  expect(await stateOf(on.outside)).toEqual({ g: { b: "1" } });
  expect(await restored(store.folder)).toEqual({ g: { b: "1" } });
});

test("a Redis that was lost has the same hashes again, and goes on with them", async () => {
  const state = await open();
  await put(state, { set: { h: fields({ a: 1, b: 2 }) } });
  await put(state, { set: { h: fields({ b: null, c: 3 }) } });
  await on.outside.flushall();
  expect(await state.occ.transact(["h"], (view) => ({ result: [...view.fields("h")] }))).toEqual([
    ["a", 1],
    ["c", 3],
  ]);
  await on.outside.flushall();
  await put(state, { set: { h: fields({ a: null }) } });
  expect(await held("h")).toEqual({ c: "3" });
});

describe("a hash that ends", () => {
  test("keeps its end while fields change; a record that gives it another one says all of it", async () => {
    const store = await on.store();
    const state = await open({ store });
    await put(state, { setWithTtl: { h: { value: fields({ a: 1, b: 1 }), ttl: MINUTE } } });
    const end = await on.outside.pexpiretime("h");
    await put(state, { set: { h: fields({ a: null, c: 1 }) } });
    expect(await on.outside.pexpiretime("h")).toBe(end);
    await put(state, { setWithTtl: { h: { value: fields({}), ttl: 10 * MINUTE } } });
    const later = await on.outside.pexpiretime("h");
    await put(state, { setWithTtl: { h: { value: fields({ c: 2 }), ttl: null } } });
    const all = await records(store.folder);
    expect(all.map(({ set, fields: changed, ends }) => [set, changed, ends])).toEqual([
      [{ h: null }, { h: { a: 1, b: 1 } }, { h: end }],
      [{}, { h: { a: null, c: 1 } }, { h: end }],
      [{ h: null }, { h: { b: 1, c: 1 } }, { h: later }],
      [{ h: null }, { h: { b: 1, c: 2 } }, undefined],
    ]);
    expect(await on.outside.pexpiretime("h")).toBe(-1);
    expect(await restored(store.folder)).toEqual({ h: { b: "1", c: "2" } });
  });

  test("leaves nothing to the one that begins after it, and all to the one that was given more time", async () => {
    const store = await on.store();
    const state = await open({ store });
    await put(state, {
      setWithTtl: { h: { value: fields({ a: 1 }), ttl: 100 }, g: { value: fields({ a: 1 }), ttl: 4_000 } },
    });
    const first = await on.outside.pexpiretime("g");
    await put(state, { setWithTtl: { g: { value: fields({ b: 1 }), ttl: 10 * MINUTE } } });
    await put(state, { set: { g: fields({ c: 1 }) } });
    await until(async () => Date.now() > first && (await on.outside.exists("h")) === 0);
    await put(state, { set: { h: fields({ b: 1 }) } });
    const expected = { h: { b: "1" }, g: { a: "1", b: "1", c: "1" } };
    expect(await stateOf(on.outside)).toEqual(expected);
    const end = await on.outside.pexpiretime("g");
    expect(await restored(store.folder)).toEqual(expected);
    await compact(store);
    await on.outside.flushall();
    await state.occ.read(["n"]);
    expect(await stateOf(on.outside)).toEqual(expected);
    expect([await on.outside.pexpiretime("g"), await on.outside.pexpiretime("h")]).toEqual([end, -1]);
  });
});

test("a process that has executed and not appended may hang: who reads the hash appends for it, and a restore has it", async () => {
  const store = await on.store();
  const [a, b] = [await open({ store }), await open({ store: await on.store(store.folder) })];
  await put(a, { set: { h: fields({ a: 1, x: 1 }) } });
  await b.ready();
  const holder = globalThis as { [FAIL_POINT_HOOK]?: FailPointHook | undefined };
  let release: () => void = () => undefined;
  let hangs = false;
  holder[FAIL_POINT_HOOK] = async (name) => {
    if (name !== "append.before" || hangs) return;
    hangs = true;
    await new Promise<void>((resolve) => (release = resolve));
  };
  on.after(() => (holder[FAIL_POINT_HOOK] = undefined));
  const answer = outcome(put(a, { set: { h: fields({ a: 2, x: null }) } }));
  await until(() => hangs);
  const seen = await b.occ.transact(["h"], (view) => ({ result: [...view.fields("h")] }));
  expect(seen).toEqual([["a", 2]]);
  await on.outside.flushall();
  expect(await b.occ.transact(["h"], (view) => ({ result: [...view.fields("h")] }))).toEqual(seen);
  release();
  expect(await answer).toBeNull();
  expect(await restored(store.folder)).toEqual({ h: { a: "2" } });
});

test.each([
  ["and somebody logged it: it stands", true],
  ["and nobody logged it: it is done again, once", false],
])("the answer of EXEC is lost, and then Redis, %s", async (_, isLogged) => {
  const store = await on.store();
  const other = await open({ store });
  await put(other, { set: { h: fields({ n: 1 }) } });
  const proxy = await on.proxy();
  const writer = await open({ url: proxy.url, store: await on.store(store.folder) });
  await writer.ready();
  const executing = proxy.catchNext(EXEC);
  const answer = outcome(
    writer.occ.transact(["h"], (view) => {
      const n = (view.fields<number>("h").get("n") ?? 0) + 100;
      return { result: n, set: { h: fields({ n }) } };
    }),
  );
  // The first attempt only asks for the hash, and commits nothing.
  const caught = await executing;
  await caught.deliver();
  if (isLogged) await other.occ.transact(["h"], (view) => ({ result: view.hash("h").size }));
  await on.outside.flushall();
  await put(other, { set: { h: fields({ m: 1 }) } });
  caught.cut();
  expect(await answer).toBe(101);
  expect(await restored(store.folder)).toEqual({ h: { n: "101", m: "1" } });
});

test("two processes on one hash never overwrite each other", async () => {
  const store = await on.store();
  const states = [await open({ store }), await open({ store: await on.store(store.folder) })];
  await Promise.all(
    Array.from({ length: 24 }, (_, i) => {
      const rule = (view: View): Decision<number> => {
        const n = (view.fields<number>("h").get("n") ?? 0) + 1;
        return { result: n, set: { h: fields({ n, [`f${i}`]: n }) } };
      };
      // However slow the machine is: the question is what becomes of the hash.
      return (states[i % 2] as LoggedRedis).occ.transact(["h"], rule, { timeout: 60_000 });
    }),
  );
  const state = await held("h");
  expect(state).toMatchObject({ n: "24" });
  expect(Object.keys(state)).toHaveLength(25);
  expect(await restored(store.folder)).toEqual({ h: state });
});

test("processes are killed and Redis is lost, while the log is compacted: what was answered is there, as the log says", async () => {
  const store = await on.store();
  const answered: number[] = [];
  const worker = (): Worker => {
    const own = new Worker(on.redis.url, store.folder, 500, { hashes: true });
    on.after(() => own.kill());
    return own;
  };
  let victim = worker();
  const other = worker();
  for (let round = 1; round <= 3; round++) {
    const orders = Array.from({ length: 60 }, (_, i) =>
      (i % 2 ? victim : other).order({ id: 100 * round + i, op: "field", keys: ["h", `h:${i % 3}`], timeout: 20_000 }),
    );
    await orders[10];
    const compacting = compact(store);
    await Promise.all([on.outside.flushall(), victim.kill()]);
    for (const answer of await Promise.all(orders)) if (answer !== null && "result" in answer) answered.push(answer.id);
    await compacting;
    victim = worker();
  }
  expect(answered.length).toBeGreaterThan(60);
  const state = await open({ store });
  await state.ready();
  const present = await held("h");
  // Those before them may have been removed by one that was not answered.
  for (const id of answered) if (id % 100 >= 50) expect(present).toMatchObject({ [`f${id}`]: String(id) });
  expect((await diff(store, on.redis.url)).differences).toEqual([]);
  const findings = [];
  for await (const finding of verify(store)) if (finding.kind === "damage") findings.push(finding);
  expect(findings).toEqual([]);
  expect(await restored(store.folder)).toEqual(await stateOf(on.outside));
}, 120_000);

describe("the option", () => {
  const formats = async (folder: string): Promise<unknown[]> =>
    Promise.all(
      (await readdir(folder))
        .filter((name) => name.startsWith("begin-"))
        .sort()
        .map(async (name) => (JSON.parse(await readFile(join(folder, name), "utf8")) as { format: number }).format),
    );

  test("without it a hash is refused before anything is written, and the log is of the first format", async () => {
    const store = await on.store();
    const state = await open({ store, hashes: false, expiry: false });
    expect(await outcome(put(state, { set: { a: 1, h: fields({ a: 1 }) } }))).toMatchObject({ name: "TypeError" });
    expect(await outcome(put(state, { set: { a: 1 } }))).toBeNull();
    expect(await formats(store.folder)).toEqual([1]);
    expect(await stateOf(on.outside)).toEqual({ a: "1" });
    expect(() => on.open({ store, hashes: 1 as never })).toThrow(TypeError);
  });

  test("with it an epoch of the third format begins, which whoever has it not refuses, and changes nothing", async () => {
    const store = await on.store();
    const old = await open({ store, hashes: false });
    expect(await old.occ.transact(["n"], add("n"))).toBe(1);
    const state = await open({ store: await on.store(store.folder), expiry: false });
    await put(state, { set: { h: fields({ a: 1 }) } });
    expect(await outcome(old.occ.transact(["n"], add("n")))).toMatchObject({
      code: "log_format",
      unchanged: true,
      transient: false,
      message: expect.stringContaining("hashes") as unknown,
    });
    expect(await outcome(old.occ.read(["n"]))).toMatchObject({ code: "log_format" });
    // Nor does it restore what it does not know.
    await on.outside.flushall();
    expect(await outcome(old.occ.read(["n"]))).toMatchObject({ code: "log_format" });
    expect([await on.outside.dbsize(), await store.claims()]).toEqual([0, [1, 2]]);
    expect(await formats(store.folder)).toEqual([2, 3]);
    // Each of the two options is one of its own.
    const ending = put(state, { setWithTtl: { h: { value: fields({ a: 1 }), ttl: MINUTE } } });
    expect(await outcome(ending)).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("expiry") as unknown,
    });
    expect(await state.occ.transact(["h", "n"], add("n"))).toBe(2);
    expect(await stateOf(on.outside)).toEqual({ n: "2", h: { a: "1" } });
    expect(await formats(store.folder)).toEqual([2, 3, 3]);
  });

  test("an indexed key, one of the log's own and one that holds a string are refused by their names", async () => {
    const state = await open({ indexes: ["i:"] });
    await put(state, { set: { s: 1, "i:1": 1 } });
    for (const [key, error] of [
      ["i:2", { name: "TypeError", message: expect.stringContaining("i:2 is indexed") as unknown }],
      ["log:x", { name: "TypeError", message: expect.stringContaining("log:x") as unknown }],
      ["s", { code: "wrong_type", key: "s" }],
    ] as const)
      expect(await outcome(put(state, { set: { [key]: fields({ a: 1 }) } }))).toMatchObject(error);
    await put(state, { set: { h: fields({ a: 1 }) } });
    expect(await outcome(put(state, { set: { h: 1 } }))).toMatchObject({ code: "wrong_type", found: "hash" });
    expect(await outcome(state.occ.read(["h"]))).toMatchObject({ code: "wrong_type", found: "hash" });
    expect(await state.keys("i:")).toEqual(["i:1"]);
  });
});
