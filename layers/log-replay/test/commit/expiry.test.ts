/** A logged transaction may say how long a key has to live; the log says at which instant it ends. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import type { Decision } from "redis-occ";
import {
  compact,
  openFileStore,
  readHistory,
  type LoggedRedis,
  type LoggedRedisOptions,
  type LogStore,
} from "../../src/index.ts";
import { FAIL_POINT_HOOK, type FailPointHook } from "../../../redis-occ/src/fail-points.ts";
import { diff } from "../../src/tools/index.ts";
import { Worker } from "../support/crew.ts";
import { add, outcome, records, replayed, stage, stateOf, until } from "../support/stage.ts";

const on = stage();
const MINUTE = 60_000;

const open = async (options: Partial<LoggedRedisOptions> & { store?: LogStore } = {}) => {
  const store = options.store ?? (await on.store());
  return on.open({ expiry: true, ...options, store });
};
const put = (state: LoggedRedis, decision: Omit<Decision<null>, "result">): Promise<null> =>
  state.occ.transact([], () => ({ ...decision, result: null }));
const onFailPoint = (hook: FailPointHook): void => {
  const holder = globalThis as { [FAIL_POINT_HOOK]?: FailPointHook | undefined };
  holder[FAIL_POINT_HOOK] = hook;
  on.after(() => (holder[FAIL_POINT_HOOK] = undefined));
};
const endOf = (key: string): Promise<number> => on.outside.pexpiretime(key);
const begins = async (folder: string): Promise<unknown[]> =>
  Promise.all(
    (await readdir(folder))
      .filter((name) => name.startsWith("begin-"))
      .sort()
      .map(async (name) => (JSON.parse(await readFile(join(folder, name), "utf8")) as { format: number }).format),
  );

test("a record says when its keys end: the time of its commit and what they have to live; Redis is told the same", async () => {
  const store = await on.store();
  const state = await open({ store });
  await put(state, {
    set: { a: 1 },
    setWithTtl: { s: { value: { by: "ann" }, ttl: MINUTE }, t: { value: 2, ttl: null } },
  });
  const [record] = await records(store.folder);
  const at = Date.parse(String(record?.["at"]));
  expect(record).toMatchObject({ set: { a: 1, s: { by: "ann" }, t: 2 }, ends: { s: at + MINUTE } });
  expect(Object.keys(record ?? {})).toEqual(["epoch", "n", "at", "tx", "set", "ends", "crc", "frame"]);
  expect([await endOf("s"), await endOf("a"), await endOf("t")]).toEqual([at + MINUTE, -1, -1]);
});

test("a key that is set again keeps its end, until it is given another one, or none, or is deleted", async () => {
  const store = await on.store();
  const state = await open({ store });
  await put(state, {
    setWithTtl: { s: { value: 1, ttl: MINUTE }, u: { value: 1, ttl: MINUTE }, v: { value: 1, ttl: MINUTE } },
  });
  const end = await endOf("s");
  await state.occ.transact(["s"], add("s"));
  await put(state, { set: { s: 3 } });
  expect((await records(store.folder)).map(({ ends }) => (ends as Record<string, number>)["s"])).toEqual([
    end,
    end,
    end,
  ]);
  await put(state, { set: { v: null }, setWithTtl: { s: { value: 4, ttl: null }, u: { value: 4, ttl: 2 * MINUTE } } });
  await put(state, { set: { s: 5, u: 5, v: 5 } });
  const last = (await records(store.folder)).at(-1);
  expect(last).toMatchObject({ ends: { u: await endOf("u") } });
  expect(Object.keys(last?.["ends"] as object)).toEqual(["u"]);
  expect(await endOf("u")).toBeGreaterThan(end + MINUTE / 2);
  expect([await endOf("s"), await endOf("v")]).toEqual([-1, -1]);
});

test("in a group each transaction goes on from what the one before it left", async () => {
  const store = await on.store();
  const state = await open({ store });
  await state.ready();
  await Promise.all([
    put(state, { setWithTtl: { s: { value: 1, ttl: MINUTE } } }),
    put(state, { set: { s: 2 } }),
    put(state, { set: { s: null } }),
    put(state, { set: { s: 3 } }),
    put(state, { setWithTtl: { t: { value: 1, ttl: MINUTE } } }),
    put(state, { set: { t: 2 } }),
  ]);
  const all = await records(store.folder);
  expect(all.map(({ ends }) => Object.keys(ends ?? {}).join())).toEqual(["s", "s", "", "", "t", "t"]);
  expect(await endOf("s")).toBe(-1);
  expect(await endOf("t")).toBe((all[5]?.["ends"] as Record<string, number>)["t"]);
});

test("a restore brings back those that have not ended, with the rest of their lives, and no others", async () => {
  const store = await on.store();
  const state = await open({ store });
  await put(state, {
    set: { a: 1 },
    setWithTtl: { long: { value: 1, ttl: MINUTE }, short: { value: 1, ttl: 600 }, again: { value: 1, ttl: 300 } },
  });
  const end = await endOf("long");
  await until(async () => (await state.occ.read(["again"]))[0] === null);
  await put(state, { set: { again: 2 } });
  await on.outside.flushall();
  await sleep(400);
  expect(await state.occ.read(["a", "long", "short", "again"])).toEqual([1, 1, null, 2]);
  expect([await endOf("long"), await endOf("again"), await endOf("a")]).toEqual([end, -1, -1]);
  expect(await stateOf(on.outside)).toEqual({ a: "1", long: "1", again: "2" });
});

test("a rule never commits on a key that has ended since it was read", async () => {
  const state = await open();
  await put(state, { setWithTtl: { s: { value: 1, ttl: 3_000 } } });
  const seen: unknown[] = [];
  onFailPoint(async (name) => {
    if (name === "commit.before" && seen.length === 1) await until(async () => (await on.outside.exists("s")) === 0);
  });
  await state.occ.transact(["s"], (view) => {
    seen.push(view.get("s"));
    return { result: null, set: { s: 7 } };
  });
  expect(seen).toEqual([1, null]);
  expect(await endOf("s")).toBe(-1);
});

test("what another process makes of an end is not overwritten by a value that keeps the former one", async () => {
  const store = await on.store();
  const [a, b] = [await open({ store }), await open({ store: await on.store(store.folder) })];
  await put(a, { setWithTtl: { s: { value: 1, ttl: MINUTE } } });
  await b.ready();
  let meddled = false;
  onFailPoint(async (name) => {
    if (name !== "commit.before" || meddled) return;
    meddled = true;
    // The same value: only its end is another one.
    await put(b, { setWithTtl: { s: { value: 1, ttl: 10 * MINUTE } } });
  });
  await put(a, { set: { s: 2 } });
  expect(await endOf("s")).toBeGreaterThan(Date.now() + 9 * MINUTE);
  expect((await records(store.folder)).at(-1)).toMatchObject({ set: { s: 2 }, ends: { s: await endOf("s") } });
});

test("an idempotency key needs no sweep", async () => {
  const state = await open();
  const once = (id: string, ttl: number) => state.occ.once(id, ["n"], add("n"), { ttl });
  expect([await once("long", MINUTE), await once("long", MINUTE)]).toEqual([1, 1]);
  await on.outside.flushall();
  expect([await once("long", MINUTE), await once("short", 50)]).toEqual([1, 2]);
  await until(async () => (await on.outside.exists("once:short")) === 0);
  expect(await once("short", 50)).toBe(3);
});

test("a key that ends is in no index: who asks for that is told, and one that comes there otherwise is not listed", async () => {
  const store = await on.store();
  const blind = await open({ store });
  await put(blind, { set: { "s:1": 1 }, setWithTtl: { "s:2": { value: 1, ttl: MINUTE } } });
  await blind.close();
  const state = await open({ store: await on.store(store.folder), indexes: ["s:"] });
  await on.outside.flushall();
  expect(await state.keys("s:")).toEqual(["s:1"]);
  expect(await outcome(put(state, { setWithTtl: { "s:3": { value: 1, ttl: MINUTE } } }))).toMatchObject({
    name: "TypeError",
    message: expect.stringContaining("s:3") as unknown,
  });
  await put(state, { set: { "s:2": 2 } });
  expect(await state.keys("s:")).toEqual(["s:1"]);
  await put(state, { setWithTtl: { "s:2": { value: 2, ttl: null } } });
  expect(await state.keys("s:")).toEqual(["s:1", "s:2"]);
});

test("an end that no number can tell is refused", async () => {
  const state = await open();
  const setting = put(state, { setWithTtl: { s: { value: 1, ttl: Number.MAX_SAFE_INTEGER } } });
  expect(await outcome(setting)).toBeInstanceOf(TypeError);
});

test("processes are killed and Redis is lost, again and again: what was answered is there, and ends as its record says", async () => {
  const store = await on.store();
  const answered: number[] = [];
  const worker = (): Worker => {
    const own = new Worker(on.redis.url, store.folder, 500, { expiry: true });
    on.after(() => own.kill());
    return own;
  };
  let victim = worker();
  const other = worker();
  for (let round = 1; round <= 4; round++) {
    const orders = Array.from({ length: 60 }, (_, i) =>
      (i % 2 ? victim : other).order({
        id: 100 * round + i,
        op: "hold",
        keys: [`h:${100 * round + i}`],
        timeout: 20_000,
      }),
    );
    await orders[10];
    await Promise.all([on.outside.flushall(), victim.kill()]);
    for (const answer of await Promise.all(orders)) if (answer !== null && "result" in answer) answered.push(answer.id);
    await compact(store);
    victim = worker();
  }
  expect(answered.length).toBeGreaterThan(100);
  const state = await open({ store });
  await state.ready();
  const ends = new Map<string, number>();
  for await (const record of readHistory(store))
    for (const [key, end] of Object.entries(record.ends ?? {})) ends.set(key, end);
  for (const id of answered) {
    expect(await on.outside.get(`h:${id}`)).toBe(String(id));
    expect(await endOf(`h:${id}`)).toBe(ends.get(`h:${id}`));
  }
  expect((await diff(store, on.redis.url)).differences).toEqual([]);
}, 120_000);

describe("the format", () => {
  test("without the option a time to live is refused, and the log is of the first format", async () => {
    const store = await on.store();
    const state = await open({ store, expiry: false });
    expect(await outcome(put(state, { setWithTtl: { s: { value: 1, ttl: MINUTE } } }))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("expiry") as unknown,
    });
    await put(state, { set: { a: 1 } });
    expect(await begins(store.folder)).toEqual([1]);
    expect(Object.keys((await records(store.folder))[0] ?? {})).not.toContain("ends");
    expect(() => on.open({ store, expiry: 1 as never })).toThrow(TypeError);
  });

  test("the option begins an epoch of the second format; whoever goes on in it keeps ends, and it is left no more", async () => {
    const store = await on.store();
    const old = await open({ store, expiry: false });
    expect(await old.occ.transact(["n"], add("n"))).toBe(1);
    const state = await open({ store: await on.store(store.folder) });
    await put(state, { setWithTtl: { s: { value: 1, ttl: MINUTE } } });
    const end = await endOf("s");
    expect(await old.occ.transact(["s"], add("s"))).toBe(2);
    expect(await endOf("s")).toBe(end);
    expect(await begins(store.folder)).toEqual([1, 2]);
    await state.close();
    await on.outside.flushall();
    expect(await old.occ.transact(["s", "n"], add("n"))).toBe(2);
    expect(await endOf("s")).toBe(end);
    expect(await begins(store.folder)).toEqual([1, 2, 2]);
    await old.close();
    expect(await replayed(on, store.folder)).toEqual({ n: "2", s: "2" });
  });

  test("many that opt in at once end the epoch once", async () => {
    const store = await on.store();
    await (await open({ store, expiry: false })).occ.transact(["n"], add("n"));
    const states = await Promise.all(
      Array.from({ length: 4 }, async () => open({ store: await openFileStore({ folder: store.folder }) })),
    );
    await Promise.all(states.map((state) => state.occ.transact(["n"], add("n"))));
    expect(await begins(store.folder)).toEqual([1, 2]);
  });

  test("a store that does not keep it is told so, instead of epoch after epoch", async () => {
    const store = await on.store();
    const writeBegin = store.writeBegin.bind(store);
    store.writeBegin = (epoch, { parent, cut }) => writeBegin(epoch, { parent, cut });
    const state = await open({ store });
    expect(await outcome(put(state, { set: { a: 1 } }))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("format") as unknown,
    });
    expect((await store.claims()).length).toBeLessThanOrEqual(2);
  });
});
