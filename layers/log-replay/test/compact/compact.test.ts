import { readdir } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { compact, readHistory, stateAt } from "../../src/index.ts";
import { replayed, segmentsIn, stage, stateOf } from "../support/stage.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { append, begun, entry, filled, snapshotLines, textOf } from "../support/logs.ts";

const on = stage();

test("folds the whole log, the live epoch too, into a snapshot that restores the same state, indexes included", async () => {
  const { store, folder, a } = await filled(on);
  const live = await stateOf(on.outside);
  const result = await compact(store);
  expect(result).toMatchObject({ commits: 60, snapshot: { epoch: 1, n: 60 } });
  expect(await store.snapshot()).toEqual(result.snapshot);
  expect(await replayed(on, folder, ["i:"])).toEqual(live);
  expect(await store.snapshot()).toMatchObject({ n: 60 });
  // The next restore's epoch is live now: what came before is all archived.
  await a.close();
  expect(await compact(store)).toMatchObject({ commits: 0 });
  expect(await segmentsIn(folder)).toEqual([]);
  expect(await replayed(on, folder, ["i:"])).toEqual(live);
});

test("a snapshot is the log without what was overwritten: readable, and nothing that was deleted in it", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(
    store,
    1,
    [entry(1, 1, { a: 1, b: 1 })],
    [entry(1, 2, { b: 2, c: { by: "é\n" } })],
    [entry(1, 3, { a: null })],
    [entry(1, 4, { d: 4 })],
  );
  await compact(store);
  const lines = await snapshotLines(store);
  expect(lines).toEqual([
    { epoch: 1, n: 2, at: "1970-01-01T00:00:02.000Z", set: { b: 2, c: { by: "é\n" } } },
    { epoch: 1, n: 4, at: "1970-01-01T00:00:04.000Z", set: { d: 4 } },
    { epoch: 1, n: 4, at: expect.any(String), lines: 2, set: {} },
  ]);
  await append(store, 1, [entry(1, 5, { c: 5, a: 5 })], [entry(1, 6, { d: null })]);
  expect(await compact(store)).toMatchObject({ commits: 2 });
  expect(await snapshotLines(store)).toEqual([
    { epoch: 1, n: 2, at: "1970-01-01T00:00:02.000Z", set: { b: 2 } },
    { epoch: 1, n: 5, at: "1970-01-01T00:00:05.000Z", set: { c: 5, a: 5 } },
    { epoch: 1, n: 6, at: expect.any(String), lines: 2, set: {} },
  ]);
  expect(await replayed(on, store.folder)).toEqual({ a: "5", b: "2", c: "5" });
});

test("with memory for one change at a time it takes more passes, to the same end", async () => {
  const { store, folder } = await filled(on);
  const live = await stateOf(on.outside);
  expect(await compact(store, { memory: 1 })).toMatchObject({ commits: 60, snapshot: { n: 60 } });
  expect((await readdir(folder)).filter((name) => name.startsWith("snapshot"))).toHaveLength(1);
  expect(await replayed(on, folder, ["i:"])).toEqual(live);
});

test("a deadline ends it after the pass that is under way, and the next call goes on", async () => {
  const { store, folder } = await filled(on);
  const live = await stateOf(on.outside);
  const first = await compact(store, { memory: 1, deadline: 0 });
  expect(first.commits).toBeGreaterThan(0);
  expect(first.commits).toBeLessThan(60);
  const rest = await compact(store);
  expect(first.commits + rest.commits).toBe(60);
  expect(await replayed(on, folder, ["i:"])).toEqual(live);
});

test("says how far it is, and gives up when it is told to", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(
    store,
    1,
    ...Array.from({ length: 40 }, (_, i) => [entry(1, i + 1, { [`k:${i}`]: "x".repeat(100_000) })]),
  );
  const told: number[] = [];
  const stop = new AbortController();
  await compact(store, { onProgress: ({ commits, bytes, ofBytes }) => told.push(commits, bytes / ofBytes) });
  expect(told.length).toBeGreaterThan(4);
  expect(told.at(-1)).toBeLessThanOrEqual(1);
  await append(
    store,
    1,
    ...Array.from({ length: 40 }, (_, i) => [entry(1, i + 41, { [`k:${i}`]: "x".repeat(100_000) })]),
  );
  stop.abort(new RangeError("enough"));
  await expect(compact(store, { signal: stop.signal })).rejects.toThrow("enough");
  expect(await store.snapshot()).toMatchObject({ n: 40 });
});

describe("what it folds, and what it leaves", () => {
  test("nothing of an empty log, and nothing twice", async () => {
    const store = await on.store();
    expect(await compact(store)).toEqual({ snapshot: null, commits: 0, archived: 0 });
    await begun(store, 1);
    expect(await compact(store)).toEqual({ snapshot: null, commits: 0, archived: 0 });
    await append(store, 1, [entry(1, 1, { n: 1 })]);
    expect(await compact(store)).toMatchObject({ commits: 1 });
    expect(await compact(store)).toMatchObject({ commits: 0, snapshot: { n: 1 } });
  });

  test("nothing while an epoch is claimed that has not begun: who claimed it may go on from elsewhere", async () => {
    const store = await on.store();
    await begun(store, 1);
    await append(store, 1, [entry(1, 1, { n: 1 })]);
    await store.claim(2);
    expect(await compact(store)).toMatchObject({ commits: 0, snapshot: null });
    await store.writeBegin(2, { parent: 1, cut: 1 });
    expect(await compact(store)).toMatchObject({ commits: 1, archived: 1, snapshot: { epoch: 1, n: 1 } });
    expect(await stateAt(store).then(textOf)).toEqual({ n: "1" });
  });

  test("of a sealed epoch what is up to its cut: a late record does not count, and goes into the archive", async () => {
    const store = await on.store();
    await begun(store, 1);
    await append(store, 1, [entry(1, 1, { n: 1 })], [entry(1, 2, { n: 2 })], [entry(1, 3, { late: 3 })]);
    await begun(store, 2, { parent: 1, cut: 2 });
    await append(store, 2, [entry(2, 3, { n: 3 })]);
    expect(await compact(store)).toMatchObject({ commits: 3, archived: 1 });
    expect(await replayed(on, store.folder)).toEqual({ n: "3" });
    // Later still: a segment of an epoch that is long folded.
    await append(store, 1, [entry(1, 4, { late: 4 })]);
    expect(await compact(store)).toMatchObject({ archived: expect.any(Number) });
    expect((await segmentsIn(store.folder)).filter((name) => name.startsWith("segment-00000001"))).toEqual([]);
    expect(await replayed(on, store.folder)).toEqual({ n: "3" });
  });

  test("of the live epoch what is there without a hole, whoever wrote it; a segment stays while its writer may go on with it", async () => {
    const store = await on.store();
    await begun(store, 1);
    const writer = store.createSegment(1);
    await writer.append(encodeFrame([entry(1, 1, { a: 1 })]));
    await writer.roll();
    await writer.append(encodeFrame([entry(1, 2, { a: 2 })]));
    const other = (await on.store(store.folder)).createSegment(1);
    await other.append(encodeFrame([entry(1, 4, { b: 4 })]));
    expect(await compact(store)).toMatchObject({ commits: 2, archived: 1, snapshot: { n: 2 } });
    await writer.append(encodeFrame([entry(1, 3, { a: 3 })]));
    expect(await compact(store)).toMatchObject({ commits: 2, archived: 0, snapshot: { n: 4 } });
    await writer.append(encodeFrame([entry(1, 5, { a: 5 })]));
    await Promise.all([writer.close(), other.close()]);
    expect(await replayed(on, store.folder)).toEqual({ a: "5", b: "4" });
  });

  test("transactions go on while it folds again and again what they write", async () => {
    const store = await on.store();
    const states = await Promise.all([1, 2].map(async () => on.open({ store: await on.store(store.folder) })));
    const work = { done: false };
    const folding = (async () => {
      let folds = 0;
      while (!work.done) folds += (await compact(store)).commits > 0 ? 1 : 0;
      return folds;
    })();
    await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, 2 * i));
        await (states[i % 2] as (typeof states)[0]).occ.transact(["n", `k:${i % 9}`], (view) => ({
          result: 0,
          set: { n: (view.get<number>("n") ?? 0) + 1, [`k:${i % 9}`]: i % 4 === 0 ? null : i },
        }));
      }),
    );
    work.done = true;
    expect(await folding).toBeGreaterThan(3);
    const live = await stateOf(on.outside);
    expect(live["n"]).toBe("400");
    expect(await replayed(on, store.folder)).toEqual(live);
    const numbers: number[] = [];
    for await (const { n } of readHistory(store)) numbers.push(n);
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
  });
});
