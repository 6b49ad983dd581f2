/** Compaction, and what is restored from it, of hashes. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { fields } from "redis-occ";
import { compact, stateAt, type LoggedRedis } from "../../src/index.ts";
import { diff, verify } from "../../src/tools/index.ts";
import { append, begun, entry, snapshotLines, textOf } from "../support/logs.ts";
import { outcome, replayed, stage, stateOf } from "../support/stage.ts";

const on = stage();
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const LONG = 600 * SECOND;
const FAR = 4_102_444_800_000;
const restored = (folder: string) => replayed(on, folder, [], { hashes: true });

test("a snapshot keeps of each hash the last values of its fields, with the last commit that changed any", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 3 });
  await append(
    store,
    1,
    [entry(1, 1, { h: null, g: null, s: 1 }, { g: FAR }, { h: { a: 1, b: 1, c: 1 }, g: { x: 1 } })],
    [entry(1, 2, { t: 1 })],
    [entry(1, 3, {}, {}, { h: { a: 2, b: null } })],
    [entry(1, 4, { k: null }, {}, { k: { only: 1 } })],
  );
  await compact(store);
  expect(await snapshotLines(store)).toMatchObject([
    { n: 1, set: { s: 1 }, fields: { g: { x: 1 } }, ends: { g: FAR } },
    { n: 2, set: { t: 1 } },
    { n: 3, set: {}, fields: { h: { a: 2, c: 1 } } },
    { n: 4, set: {}, fields: { k: { only: 1 } } },
    { n: 4, lines: 4 },
  ]);

  // Of the older snapshot too: what is left of a line stays where it was.
  await append(
    store,
    1,
    [entry(1, 5, {}, {}, { h: { c: 3, d: 3 } })],
    [entry(1, 6, {}, {}, { h: { d: null } })],
    [entry(1, 7, { g: null })],
    [entry(1, 8, { k: null }, {}, { k: { other: 1 } })],
  );
  await compact(store);
  const lines = await snapshotLines(store);
  expect(lines.map(({ n, set, fields: kept, ends }) => [n, set, kept, ends])).toEqual([
    [1, { s: 1 }, undefined, undefined],
    [2, { t: 1 }, undefined, undefined],
    [3, {}, { h: { a: 2 } }, undefined],
    [6, {}, { h: { c: 3 } }, undefined],
    [8, {}, { k: { other: 1 } }, undefined],
    [8, {}, undefined, undefined],
  ]);
  expect(await restored(store.folder)).toEqual({ s: "1", t: "1", h: { a: "2", c: "3" }, k: { other: "1" } });
  expect(textOf(await stateAt(store))).toEqual({ s: "1", t: "1", h: '{"a":2,"c":3}', k: '{"other":1}' });
});

test("a hash whose fields change in another chunk of the restore than that in which it began", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 3 });
  const many = (part: number) => Object.fromEntries(Array.from({ length: 1_200 }, (_, i) => [`${part}:${i}`, i]));
  await append(
    store,
    1,
    [entry(1, 1, { h: null, g: null, k: null, s: 1 }, { k: FAR }, { h: { a: 1, b: 1 }, g: { a: 1 }, k: { a: 1 } })],
    [entry(1, 2, many(1))],
    [entry(1, 3, { g: null, s: null }, { k: FAR }, { h: { a: null, b: 2 }, s: { a: 1 }, k: { a: null, b: 1 } })],
    [entry(1, 4, many(2))],
    [entry(1, 5, { s: 2, h: null }, {}, { h: { c: 1 } })],
  );
  for (const round of ["log", "snapshot"]) {
    const state = await restored(store.folder);
    const { h, g, s, k } = state;
    expect([round, h, g, s, k, Object.keys(state).length]).toEqual([
      round,
      { c: "1" },
      undefined,
      "2",
      { b: "1" },
      2_403,
    ]);
    expect(textOf(await stateAt(store, { n: 3 }))).toMatchObject({ h: '{"b":2}', s: '{"a":1}', k: '{"b":1}' });
    await compact(store);
  }
});

test("a hash that had long ended is left out with all of its fields, wherever they stand", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 3 });
  const ended = { h: 3 * SECOND - LONG };
  await append(store, 1, [entry(1, 1, { h: null, n: 1 }, ended, { h: { a: 1, b: 1 } })]);
  await compact(store);
  expect(JSON.stringify(await snapshotLines(store))).toContain('"h"');
  await append(store, 1, [entry(1, 2, {}, ended, { h: { b: 2, c: 2 } })], [entry(1, 3, { n: 2 })]);
  await compact(store);
  expect(JSON.stringify(await snapshotLines(store))).not.toContain('"h"');
  await append(store, 1, [entry(1, 4, { h: null }, {}, { h: { d: 1 } })]);
  await compact(store);
  expect(await restored(store.folder)).toEqual({ n: "2", h: { d: "1" } });
});

test("what a pass may hold is counted by fields, and not by how often one is written", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 3 });
  const value = "x".repeat(1_000);
  await append(
    store,
    1,
    [entry(1, 1, { h: null }, {}, { h: { a: value } })],
    ...Array.from({ length: 100 }, (_, i) => [entry(1, i + 2, {}, {}, { h: { a: value } })]),
  );
  let passes = 0;
  const { installSnapshot } = store;
  store.installSnapshot = (...args) => {
    passes++;
    return installSnapshot.apply(store, args);
  };
  await compact(store, { memory: 10_000 });
  expect(passes).toBe(1);
  await append(
    store,
    1,
    ...Array.from({ length: 20 }, (_, i) => [entry(1, i + 102, {}, {}, { h: { [`f${i}`]: value } })]),
  );
  await compact(store, { memory: 10_000 });
  expect(passes).toBe(4);
  expect(Object.keys((await restored(store.folder))["h"] as object)).toHaveLength(21);
});

/** What a transaction does to a key; the time to live in milliseconds. */
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.option(fc.nat(9))) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      put: fc.dictionary(fc.constantFrom("a", "b"), fc.nat(9)),
      ttl: fc.constantFrom(null, HOUR),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ value: null }) },
  { weight: 1, arbitrary: fc.record({ value: fc.nat(9) }) },
);
const step = fc.oneof(
  { weight: 10, arbitrary: fc.array(fc.tuple(fc.constantFrom("h", "k"), change), { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constant("compact" as const) },
  { weight: 1, arbitrary: fc.constant("lose Redis" as const) },
  { weight: 1, arbitrary: fc.constant("the other process" as const) },
);
type Wanted = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(state: LoggedRedis, key: string, wanted: Wanted): Promise<unknown> {
  const value = "put" in wanted ? fields(wanted.put) : wanted.value;
  const decision = "ttl" in wanted ? { setWithTtl: { [key]: { value, ttl: wanted.ttl } } } : { set: { [key]: value } };
  return outcome(state.occ.transact([key], () => ({ result: null, ...decision })));
}

test("whatever becomes of hashes and strings in whatever order, in groups, by two processes, with losses and compactions: Redis, log and restore agree", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      await on.outside.flushall();
      const store = await on.store();
      const options = { expiry: true, hashes: true };
      const states = [on.open({ store, ...options }), on.open({ store: await on.store(store.folder), ...options })];
      let current = 0;
      for (const one of steps) {
        if (one === "compact") await compact(store);
        else if (one === "lose Redis") await on.outside.flushall();
        else if (one === "the other process") current = 1 - current;
        else await Promise.all(one.map(([key, wanted]) => apply(states[current] as LoggedRedis, key, wanted)));
      }
      await states[0]?.occ.read(["none"]);
      const live = await stateOf(on.outside);
      const ends = await Promise.all(["h", "k"].map((key) => on.outside.pexpiretime(key)));
      expect((await diff(store, on.redis.url)).differences).toEqual([]);
      for await (const { kind, what } of verify(store)) expect([kind, what]).not.toContain("damage");
      await compact(store);
      await on.outside.flushall();
      await states[1]?.occ.read(["none"]);
      expect(await stateOf(on.outside)).toEqual(live);
      expect(await Promise.all(["h", "k"].map((key) => on.outside.pexpiretime(key)))).toEqual(ends);
      await Promise.all(states.map((state) => state.close()));
    }),
    { numRuns: 40 },
  );
}, 120_000);
