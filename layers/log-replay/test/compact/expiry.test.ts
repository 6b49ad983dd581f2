/** Compaction, and what is restored from it, of keys that end. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { compact, type LoggedRedis } from "../../src/index.ts";
import { append, begun, entry, snapshotLines } from "../support/logs.ts";
import { replayed, stage } from "../support/stage.ts";

const on = stage();
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const FAR = 4_102_444_800_000;

test("a snapshot keeps instants, and leaves out what had ended an hour before its commit: by the log's time, whenever it is made", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 2 });
  // Commits are a second apart.
  const old = { gone: 4 * SECOND - HOUR, just: 4 * SECOND - HOUR + 1, later: FAR };
  await append(store, 1, [entry(1, 1, { gone: 1, just: 1, later: 1, stays: 1 }, old)]);
  await append(
    store,
    1,
    [entry(1, 2, { stays: 2 })],
    [entry(1, 3, { x: 1, y: 1 }, { y: FAR })],
    [entry(1, 4, { x: 2 })],
  );
  await compact(store);
  const lines = await snapshotLines(store);
  expect(lines).toMatchObject([
    { n: 1, set: { just: 1, later: 1 }, ends: { just: old.just, later: FAR } },
    { n: 2, set: { stays: 2 } },
    { n: 3, set: { y: 1 }, ends: { y: FAR } },
    { n: 4, set: { x: 2 } },
    { n: 4, at: "1970-01-01T00:00:04.000Z", lines: 4 },
  ]);
  expect(lines[1]).not.toHaveProperty("ends");

  // Of the older snapshot too.
  await append(store, 1, [entry(1, 5, { later: 5 })]);
  await compact(store);
  expect(await snapshotLines(store)).toMatchObject([
    { n: 2, set: { stays: 2 } },
    { n: 3, set: { y: 1 } },
    { n: 4, set: { x: 2 } },
    { n: 5, set: { later: 5 } },
    { n: 5, lines: 4 },
  ]);
  expect(await replayed(on, store.folder)).toEqual({ stays: "2", y: "1", x: "2", later: "5" });
});

test("what an older record said of a key that has long ended does not come back with it", async () => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 2 });
  await append(store, 1, [entry(1, 1, { s: "stays" })]);
  await compact(store);
  await append(store, 1, [entry(1, 2, { s: "ended" }, { s: 2 * SECOND - HOUR })]);
  expect(await replayed(on, store.folder)).toEqual({});
  await append(store, 2, [entry(2, 3, { other: 1 })]);
  await compact(store);
  expect(JSON.stringify(await snapshotLines(store))).not.toContain('"s"');
  expect(await replayed(on, store.folder)).toEqual({ other: "1" });
});

/** What a transaction does to a key; the time to live in milliseconds. */
const change = fc.oneof(
  fc.record({ kind: fc.constant("set" as const) }),
  fc.record({ kind: fc.constant("ttl" as const), ttl: fc.constantFrom(null, 3 * HOUR, 7 * HOUR) }),
  fc.record({ kind: fc.constant("delete" as const) }),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), change), { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constant("compact" as const) },
  { weight: 1, arbitrary: fc.constant("lose Redis" as const) },
  { weight: 1, arbitrary: fc.constant("who does not let keys end" as const) },
);

test("whatever is set, kept, dropped, deleted, lost and compacted in whatever order, each key ends when it was to end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await on.outside.flushall();
      const store = await on.store();
      const state = on.open({ store, expiry: true });
      const plain = on.open({ store: await on.store(store.folder) });
      const expected = new Map<string, { value: number; end: number }>();
      let value = 0;
      let usesPlain = false;
      for (const one of steps) {
        if (one === "compact") await compact(store);
        else if (one === "lose Redis") await on.outside.flushall();
        else if (one === "who does not let keys end") usesPlain = !usesPlain;
        else await Promise.all(one.map(([key, wanted]) => apply(usesPlain ? plain : state, key, wanted)));
      }
      async function apply(
        by: LoggedRedis,
        key: string,
        wanted: typeof change extends fc.Arbitrary<infer T> ? T : never,
      ) {
        const next = ++value;
        const kept = expected.get(key)?.end ?? -1;
        const ttl = wanted.kind === "ttl" && by === state ? wanted.ttl : undefined;
        if (wanted.kind === "delete") expected.delete(key);
        else expected.set(key, { value: next, end: ttl === undefined ? kept : ttl === null ? -1 : Date.now() + ttl });
        await by.occ.transact([], () => ({
          result: null,
          ...(ttl === undefined
            ? { set: { [key]: wanted.kind === "delete" ? null : next } }
            : { setWithTtl: { [key]: { value: next, ttl } } }),
        }));
      }
      for (const round of ["as it is", "restored"]) {
        if (round === "restored") await on.outside.flushall();
        await state.ready();
        await state.occ.read(["a"]);
        for (const key of ["a", "b", "c"]) {
          const { value: text = null, end = -2 } = expected.get(key) ?? {};
          const [found, ends] = [await on.outside.get(key), await on.outside.pexpiretime(key)];
          expect([round, key, found]).toEqual([round, key, text === null ? null : String(text)]);
          if (end < 0) expect([round, key, ends]).toEqual([round, key, end]);
          else expect(Math.abs(ends - end)).toBeLessThan(HOUR);
        }
      }
      await Promise.all([state.close(), plain.close()]);
    }),
    { numRuns: 25 },
  );
}, 120_000);
