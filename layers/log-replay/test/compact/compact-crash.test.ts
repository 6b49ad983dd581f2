import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { OutcomeUnknownError } from "redis-occ";
import { compact, openFileStore, stateAt, StoreUnavailableError, type LogStore } from "../../src/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { logEnd } from "../../src/read/log-end.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";
import { run } from "../support/processes.ts";
import { add, outcome, replayed, segmentsIn, stage, stateOf, waits } from "../support/stage.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";

const on = stage();

/** Two epochs of 100 commits over 9 keys in segments of five; some of it in a snapshot already. */
async function history(): Promise<LogStore & { readonly folder: string }> {
  const store = await on.store();
  const set = (n: number): Record<string, unknown> => ({
    [`k:${n % 9}`]: n % 7 === 0 ? null : { n, padding: "x".repeat(2_000) },
  });
  for (const [epoch, from] of [
    [1, 0],
    [2, 100],
  ] as const) {
    await begun(store, epoch, { parent: epoch - 1, cut: from });
    for (let n = from + 1; n <= from + 100; n += 5)
      await append(store, epoch, ...[0, 1, 2, 3, 4].map((i) => [entry(epoch, n + i, set(n + i))]));
    if (epoch === 1) await compact(store);
  }
  return store;
}

const named = async (store: LogStore): Promise<(readonly [string, number])[]> =>
  (await store.segments()).map(({ name, bytes }) => [name, bytes]);

describe("a compaction that is killed leaves a log that gives the same state, and the next one finishes the work", () => {
  test.each([
    "reads a segment",
    "has read all",
    "writes the snapshot",
    "has installed it",
    "has removed the older one",
    "has archived one segment",
  ])("when it %s", async (point) => {
    const store = await history();
    const before = textOf(await stateAt(store));
    const { signal, output } = await run("compact-and-die.ts", [store.folder, point]);
    expect([signal, output]).toEqual(["SIGKILL", ""]);
    expect(textOf(await stateAt(store))).toEqual(before);
    expect(await replayed(on, store.folder)).toEqual(before);
    await compact(store);
    expect(textOf(await stateAt(store))).toEqual(before);
    expect(textOf(await stateAt(store, { n: 150 }))).toEqual(textOf(await stateAt(await history(), { n: 150 })));
    expect((await readdir(store.folder)).filter((name) => name.startsWith("snapshot"))).toHaveLength(1);
    expect((await segmentsIn(store.folder)).filter((name) => !name.startsWith("segment-00000003"))).toEqual([]);
    expect(await replayed(on, store.folder)).toEqual(before);
  });
});

test("no segment is archived before a snapshot that holds it is there: the log restores, whatever happens in between", async () => {
  const store = await history();
  const before = textOf(await stateAt(store));
  const archiving: Tampering = {};
  const stop = door();
  archiving.beforeArchive = stop.reach;
  const compacting = compact(tampered(await openFileStore({ folder: store.folder }), archiving));
  await stop.reached;
  expect((await store.snapshot())?.n).toBe(200);
  expect(await store.archived(2)).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual(before);
  stop.open();
  await compacting;
});

test("a compaction whose snapshot cannot be installed archives nothing", async () => {
  const store = await history();
  const before = textOf(await stateAt(store));
  const segments = await named(store);
  const failing: Tampering = {
    beforeInstall() {
      throw new StoreUnavailableError("no space");
    },
  };
  const memory = 1;
  await expect(compact(tampered(store, failing), { memory })).rejects.toThrow("no space");
  expect(await named(store)).toEqual(segments);
  expect(await replayed(on, store.folder)).toEqual(before);
});

test("ten compactions at once come to one snapshot and the same state", async () => {
  const store = await history();
  const before = textOf(await stateAt(store));
  const others = await Promise.all(Array.from({ length: 10 }, () => openFileStore({ folder: store.folder })));
  await Promise.all(others.map((other, i) => compact(other, { memory: i % 2 === 0 ? 10_000 : 10_000_000 })));
  await compact(store);
  expect((await readdir(store.folder)).filter((name) => name.startsWith("snapshot"))).toEqual([
    "snapshot-00000002-0000000000000200.jsonl",
  ]);
  expect(await replayed(on, store.folder)).toEqual(before);
});

describe("a compaction and a recovery at once", () => {
  test.each(["afterBegins", "beforeRead", "beforeSync", "beforeBegin", "afterBegin"] as const)(
    "folded and archived under a restore that is at %s: it starts again, and the state is right",
    async (place) => {
      const store = await history();
      const before = textOf(await stateAt(store));
      // It looked for a claim before the recovery made one, and goes on when the recovery is done.
      const folding: Tampering = {};
      const ready = door();
      folding.beforeInstall = ready.reach;
      const compacting = compact(tampered(await openFileStore({ folder: store.folder }), folding));
      await ready.reached;
      const recovering: Tampering = {};
      const stop = door();
      recovering.beforeClaim = () => (recovering[place] = stop.reach);
      const state = on.open({ store: tampered(store, recovering) });
      const restored = state.ready();
      await stop.reached;
      ready.open();
      expect(await compacting).toMatchObject({ archived: 40 - 20 });
      recovering[place] = () => undefined;
      stop.open();
      await restored;
      expect(await stateOf(on.outside)).toEqual(before);
      expect((await store.begins()).get(3)).toEqual({ parent: 2, cut: 200 });
      expect(await replayed(on, store.folder)).toEqual(before);
    },
  );

  test("folded and archived, all of it, between a restore's look for a snapshot and its list of segments: nothing is lost", async () => {
    const store = await on.store();
    await begun(store, 1, { parent: 0, cut: 0 });
    const frame = encodeFrame([1, 2, 3].map((n) => entry(1, n, { n })));
    // Its writer is gone, so no segment is left behind that would tell that something is missing.
    expect((await run("append-and-die.ts", [store.folder, "1", frame.toString("base64")])).signal).toBe("SIGKILL");
    const folding: Tampering = {};
    const ready = door();
    folding.beforeInstall = ready.reach;
    const compacting = compact(tampered(await openFileStore({ folder: store.folder }), folding));
    await ready.reached;
    const recovering: Tampering = {};
    const stop = door();
    // The first beginnings that are read behind the claim: the snapshot was looked for, the segments are yet to be listed.
    recovering.beforeClaim = () => (recovering.afterBegins = stop.reach);
    const state = on.open({ store: tampered(store, recovering) });
    const restored = state.ready();
    await stop.reached;
    ready.open();
    expect(await compacting).toMatchObject({ archived: 1 });
    delete recovering.afterBegins;
    stop.open();
    await restored;
    expect(await stateOf(on.outside)).toEqual({ n: "3" });
    expect((await store.begins()).get(2)).toEqual({ parent: 1, cut: 3 });
  });

  test("a recovery that claims while a compaction reads: the compaction leaves everything as it is", async () => {
    const store = await history();
    const reading: Tampering = {};
    const stop = door();
    reading.beforeSync = (frames) => (frames.length > 0 ? stop.reach() : undefined);
    const compacting = compact(tampered(await openFileStore({ folder: store.folder }), reading));
    await stop.reached;
    await store.claim(3);
    stop.open();
    expect(await compacting).toMatchObject({ commits: 0, archived: 0, snapshot: { n: 100 } });
  });

  test.each([true, false])(
    "a commit whose answer was lost, and which was folded, is found in the archive; without one nobody says that it was not (archive: %s)",
    async (kept) => {
      const store = await on.store();
      const other = on.open({ store: await on.store(store.folder) });
      const proxy = await on.proxy();
      // Nothing but the cut tells it that its answer is lost.
      const writer = on.open({ url: proxy.url, store, roundTripTimeout: 60_000, timeout: 60_000 });
      await writer.ready();
      const executing = proxy.catchNext("exec");
      const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
      const held = await executing;
      await held.deliver();
      // Somebody else logs it, Redis is lost, the next epoch begins, and the old one is folded.
      expect(await other.occ.read(["n"])).toEqual([100]);
      await on.outside.flushall();
      await other.occ.transact(["m"], add("m"));
      expect(await compact(store)).toMatchObject({ archived: 1 });
      expect(await waits(answer)).toBe(true);
      // The restore told it for a while.
      expect(await on.outside.del("log:recorded")).toBe(1);
      if (!kept) await rm(join(store.folder, "archive"), { recursive: true });
      held.cut();
      if (kept) expect(await answer).toBe(100);
      else expect(await answer).toBeInstanceOf(OutcomeUnknownError);
      expect(await replayed(on, store.folder)).toEqual({ n: "100", m: "1" });
    },
  );
});

test("a segment that is folded and archived between two looks at the log's end is not missed", async () => {
  const store = await on.store();
  await begun(store, 1);
  const segment = store.createSegment(1);
  await segment.append(encodeFrame([1, 2, 3].map((n) => entry(1, n, { n }))));
  await segment.roll();
  expect(await logEnd(store, { epoch: 1, cut: 0, expected: 3 })).toBe(3);
  const looking: Tampering = {};
  const late = tampered(store, looking);
  const segments = door();
  late.segments = async (epoch) => {
    await segments.reach();
    return store.segments(epoch);
  };
  const end = logEnd(late, { epoch: 1, cut: 0, expected: 3 });
  await segments.reached;
  await compact(store);
  // Nobody knows of its writer, which lives, that it went on in another one: so it is put away by hand.
  await store.archive(await store.segments(1));
  segments.open();
  expect(await end).toBe(3);
  await segment.close();
});
