import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { OutcomeUnknownError, type TimeoutError } from "redis-occ";
import { StoreUnavailableError } from "../src/index.ts";
import { encodeFrame } from "../src/frame.ts";
import { encodeBody } from "../src/record.ts";
import { add, listener, outcome, records, replayed, segmentsIn, stage, stateOf, until, waits } from "./support/stage.ts";
import { EXEC } from "../../redis-occ/test/support/commit-mode.ts";
import { door, tampered, type Tampering } from "./support/tampered-store.ts";

const on = stage();

async function pair() {
  const store = await on.store();
  const tampering: Tampering = {};
  const state = on.open({ store: tampered(store, tampering) });
  const other = on.open({ store: await on.store(store.folder) });
  await state.occ.transact(["n"], add("n"));
  await other.ready();
  return { store, folder: store.folder, tampering, state, other };
}

test("a record of a sealed epoch that arrives late is not resurrected, by this restore or any later one", async () => {
  const { folder, tampering, state, other } = await pair();
  const stop = door();
  tampering.beforeAppend = stop.reach;
  // Each attempt writes a key of its own, so that whatever comes back can be told.
  const answer = state.occ.transact(["n"], (view) => {
    const n = (view.get<number>("n") ?? 0) + 100;
    return { result: n, set: { n, [`attempt:${n}`]: true } };
  });
  await stop.reached;
  // Redis is lost and restored by somebody else, who cannot know of the commit that nobody appended.
  await on.outside.flushall();
  expect(await other.occ.transact(["n"], add("n", 10))).toBe(11);
  stop.open();
  // It finds the claim, learns that the next epoch went on without it, and is done again there.
  expect(await answer).toBe(111);
  const late = (await records(folder)).filter(({ n }) => n === 2);
  expect(late.map(({ epoch, set }) => [epoch, set])).toEqual([[1, { n: 101, "attempt:101": true }], [2, { n: 11 }]]);
  const right = { n: "111", "attempt:111": "true" };
  expect(await replayed(on, folder)).toEqual(right);
  expect(await replayed(on, folder)).toEqual(right);
  expect(await stateOf(on.outside)).toEqual(right);
});

test("an append that the claim overtook is answered with 200 where the next epoch goes on from behind it: never lost, never twice", async () => {
  const { folder, store, tampering, state } = await pair();
  const events = listener();
  const stop = door();
  // Between the append and the look for a claim.
  tampering.afterAppend = stop.reach;
  const answer = state.occ.transact(["n"], add("n", 100));
  await stop.reached;
  await on.outside.flushall();
  const third = on.open({ store: await on.store(folder), onEvent: events.onEvent });
  expect(await third.occ.read(["n"])).toEqual([101]);
  stop.open();
  expect(await answer).toBe(101);
  expect(events.count("restored")).toBe(1);
  expect(await store.begins()).toEqual(new Map([[1, { parent: 0, cut: 0 }], [2, { parent: 1, cut: 2 }]]));
  expect(await replayed(on, folder)).toEqual({ n: "101" });
});

test("a claim alone decides nothing: the commit waits until the epoch has begun, and says neither yes nor no before", async () => {
  const { store, tampering, state } = await pair();
  const stop = door();
  tampering.afterAppend = stop.reach;
  const recovery = door();
  tampering.beforeBegin = recovery.reach;
  const answer = state.occ.transact(["n"], add("n", 100));
  await stop.reached;
  // A recoverer claims the next epoch and dies.
  await store.claim(2);
  stop.open();
  await recovery.reached;
  expect(await waits(answer, 200)).toBe(true);
  recovery.open();
  expect(await answer).toBe(101);
  expect([...(await store.begins()).keys()]).toEqual([1, 3]);
});

test("a beginning below the highest claim decides nothing: a recoverer that is behind may have cut the epoch elsewhere", async () => {
  const { folder, store, tampering, state } = await pair();
  const stop = door();
  tampering.afterAppend = stop.reach;
  const answer = state.occ.transact(["n"], add("n", 100));
  await stop.reached;
  // A slow recoverer had read the log before the append came, and lost its lock; another claims, and is not done yet.
  await store.claim(2);
  await store.claim(3);
  await store.writeBegin(2, { parent: 1, cut: 1 });
  const recovery = door();
  tampering.beforeBegin = recovery.reach;
  stop.open();
  await recovery.reached;
  expect(await waits(answer, 200)).toBe(true);
  // The other one had read the beginnings before, and goes on from behind the commit. It is the one that counts.
  await store.writeBegin(3, { parent: 1, cut: 2 });
  await store.claim(5);
  await store.writeBegin(5, { parent: 3, cut: 2 });
  recovery.open();
  expect(await answer).toBe(101);
  expect(await replayed(on, folder)).toEqual({ n: "101" });
});

test("an epoch that a recoverer claimed before it died is passed over, and nobody is given its number", async () => {
  const { folder, store } = await pair();
  await store.claim(2);
  await on.outside.flushall();
  const events = listener();
  const third = on.open({ store: await on.store(folder), onEvent: events.onEvent });
  expect(await third.occ.transact(["n"], add("n"))).toBe(2);
  expect(events.events).toMatchObject([{ event: "restore started", epoch: 3 }, { event: "restored", epoch: 3, records: 1 }]);
  expect(await store.begins()).toEqual(new Map([[1, { parent: 0, cut: 0 }], [3, { parent: 1, cut: 1 }]]));
});

test("a commit in an epoch that was sealed before is answered only from a later one", async () => {
  const { folder, store } = await pair();
  await store.claim(2);
  const third = on.open({ store: await on.store(folder) });
  expect(await third.occ.transact(["n"], add("n"))).toBe(2);
  expect((await store.begins()).get(3)).toEqual({ parent: 1, cut: 2 });
  expect(JSON.parse((await on.outside.get("log:guard")) ?? "")).toMatchObject({ epoch: 3 });
  expect(await replayed(on, folder)).toEqual({ n: "2" });
});

test("an answer from before the last restore, dealt with after it, does not take the process back into the old epoch", async () => {
  const { folder, other, store } = await pair();
  const tampering: Tampering = {};
  const state = on.open({ store: tampered(await on.store(folder), tampering) });
  const slow = door();
  tampering.afterBegins = slow.reach;
  const read = state.occ.read(["n"]);
  await slow.reached;
  delete tampering.afterBegins;
  await on.outside.flushall();
  expect(await other.occ.transact(["n"], add("n"))).toBe(2);
  const appending = door();
  tampering.beforeAppend = appending.reach;
  const answer = state.occ.transact(["n"], add("n"));
  await appending.reached;
  slow.open();
  expect(await waits(read)).toBe(true);
  appending.open();
  expect(await answer).toBe(3);
  expect(await read).toEqual([3]);
  expect(await store.claims()).toEqual([1, 2]);
});

test("a read that helped to append looks for a claim too, and is read again in the next epoch", async () => {
  const { folder, tampering, state, other } = await pair();
  const reading: Tampering = {};
  const reader = on.open({ store: tampered(await on.store(folder), reading) });
  await reader.ready();
  const stop = door();
  // The writer hangs between EXEC and append.
  tampering.beforeAppend = stop.reach;
  const answer = state.occ.transact(["n"], add("n", 100));
  await stop.reached;
  // The reader has to append what it sees, and is overtaken by a claim on its way.
  const helping = door();
  reading.beforeAppend = helping.reach;
  const read = reader.occ.read(["n"]);
  await helping.reached;
  await on.outside.flushall();
  expect(await other.occ.transact(["n"], add("n", 10))).toBe(11);
  reading.beforeAppend = () => undefined;
  helping.open();
  expect(await read).toEqual([11]);
  stop.open();
  expect(await answer).toBe(111);
});

describe("a failed append is never taken for one that succeeded: the epoch is given up, and the recovery decides", () => {
  const failure = (): never => {
    throw new StoreUnavailableError("the disk failed");
  };

  test("nothing of the frame is in the log: the commits are done again in the next epoch, once each", async () => {
    const { folder, tampering, state } = await pair();
    tampering.beforeAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.occ.transact(["n"], add("n"))));
    expect(answers.sort()).toEqual([2, 3, 4, 5, 6]);
    expect((await records(folder)).filter(({ epoch }) => epoch === 1)).toHaveLength(1);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });

  test("no caller is told what a beginning decides before that beginning is synced: a power loss could take it back", async () => {
    const { tampering, state } = await pair();
    tampering.beforeAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    // The beginning of the next epoch can be seen, and the sync of its folder fails: the recovery breaks off there.
    let refused = 0;
    tampering.afterBegin = failure;
    tampering.beforeSync = (segments) => (segments.length === 0 && refused++ < 3 ? failure() : undefined);
    const answer = state.occ.transact(["n"], add("n"));
    await until(() => Promise.resolve(refused > 0));
    delete tampering.afterBegin;
    expect(await answer).toBe(2);
    expect(refused).toBeGreaterThan(3);
  });

  test("the frame is in the log although its append failed: the commits stand, once each", async () => {
    const { folder, tampering, state } = await pair();
    tampering.afterAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.occ.transact(["n"], add("n"))));
    expect(answers.sort()).toEqual([2, 3, 4, 5, 6]);
    expect((await records(folder)).filter(({ epoch }) => epoch === 1).length).toBeGreaterThan(1);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });

  test("half of the frame is in the log: the recovery passes over it, and the segment is never written to again", async () => {
    const { folder, tampering, state } = await pair();
    const [name] = await segmentsIn(folder);
    const path = join(folder, name as string);
    const size = (await readFile(path)).length;
    let failed = false;
    tampering.afterAppend = async (epoch: number) => {
      if (epoch !== 1 || failed) return;
      // A second try would succeed, behind the half.
      failed = true;
      const bytes = await readFile(path);
      await writeFile(path, bytes.subarray(0, size + 20));
      failure();
    };
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect((await readFile(path)).length).toBe(size + 20);
    expect((await segmentsIn(folder)).filter((segment) => segment.startsWith("segment-00000002"))).toHaveLength(1);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });

  test("commits that are executed while the append fails are not answered by it either", async () => {
    const { folder, tampering, state } = await pair();
    const stop = door();
    tampering.beforeAppend = async (epoch: number) => {
      if (epoch !== 1) return;
      await stop.reach();
      failure();
    };
    const first = state.occ.transact(["n"], add("n"));
    await stop.reached;
    const second = state.occ.transact(["n"], add("n"));
    const read = state.occ.read(["n"]);
    await until(async () => (await on.outside.get("n")) === "3");
    stop.open();
    expect((await Promise.all([first, second])).sort()).toEqual([2, 3]);
    expect([1, 2, 3]).toContain((await read)[0]);
    expect(await replayed(on, folder)).toEqual({ n: "3" });
  });

  test("while the store takes nothing at all nobody can say: the outcome is unknown, and reads go on to be refused", async () => {
    const { folder, tampering, state } = await pair();
    tampering.beforeAppend = failure;
    tampering.beforeClaim = failure;
    const error = await outcome(state.occ.transact(["n"], add("n", 100), { timeout: 3_000 }));
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    const read = await outcome(state.occ.read(["n"], { timeout: 3_000 }));
    expect(read).toBeInstanceOf(Error);
    expect((read as StoreUnavailableError | TimeoutError).retryable).toBe(true);
    // The disk is well again.
    delete tampering.beforeAppend;
    delete tampering.beforeClaim;
    expect(await state.occ.read(["n"])).toEqual([1]);
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });
});

describe("an EXEC that fails half way leaves half a transaction in Redis: it is not answered, and does not stay there", () => {
  test("the record did not get into the tail: undone, and the caller is told so", async () => {
    const { folder, state, other } = await pair();
    const guard = await on.outside.get("log:guard");
    await on.outside.set("log:tail", "not a stream");
    const error = await outcome(state.occ.transact(["n"], add("n", 100)));
    expect(error).toMatchObject({ code: "server_refused", retryable: true });
    expect(await other.occ.read(["n"])).toEqual([1]);
    expect(await on.outside.get("log:guard")).not.toBe(guard);
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });

  test("the record is in the tail and somebody logged it: it stands, and the caller is told so", async () => {
    const { folder } = await pair();
    const indexed: Tampering = {};
    const state = on.open({ store: tampered(await on.store(folder), indexed), indexes: ["n"] });
    const other = on.open({ store: await on.store(folder) });
    await state.ready();
    await other.ready();
    // The index is of the wrong type: the last command of the EXEC fails, after the record's.
    await on.outside.set("log:index:n", "not a sorted set");
    const proxied = await on.proxy();
    const writer = on.open({ url: proxied.url, store: await on.store(folder), indexes: ["n"] });
    await writer.ready();
    const deleting = proxied.catchNext("del");
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    const held = await deleting;
    expect(await other.occ.read(["n"])).toEqual([101]);
    held.pass();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
    expect(await on.outside.type("log:index:n")).toBe("zset");
  });

  test("the connection breaks before the guard is deleted: the epoch is ended all the same", async () => {
    const { folder } = await pair();
    const proxy = await on.proxy();
    const writer = on.open({ url: proxy.url, store: await on.store(folder) });
    await writer.ready();
    await on.outside.set("log:tail", "not a stream");
    const deleting = proxy.catchNext("del");
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    (await deleting).cut();
    expect(await answer).toMatchObject({ code: "server_refused", retryable: true });
    expect(await stateOf(on.outside)).toEqual({ n: "1" });
  });
});

describe("an EXEC whose answer is lost is settled by Redis where it can be, else by the log", () => {
  async function cutAfterExec(meanwhile: () => Promise<unknown>) {
    const { folder, other } = await pair();
    const proxy = await on.proxy();
    const writer = on.open({ url: proxy.url, store: await on.store(folder) });
    await writer.ready();
    const executing = proxy.catchNext(EXEC);
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    const held = await executing;
    return { folder, other, answer, held, meanwhile };
  }

  test("it ran and Redis still has it: it is appended, and stands", async () => {
    const { folder, held, answer } = await cutAfterExec(() => Promise.resolve());
    await held.deliver();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });

  test("it ran, somebody logged it, and Redis was lost: it stands", async () => {
    const { folder, other, held, answer } = await cutAfterExec(() => Promise.resolve());
    await held.deliver();
    expect(await other.occ.read(["n"])).toEqual([101]);
    await on.outside.flushall();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });

  test("it ran, nobody logged it, and Redis was lost: it is done again, once", async () => {
    const { folder, other, held, answer } = await cutAfterExec(() => Promise.resolve());
    await held.deliver();
    await on.outside.flushall();
    expect(await other.occ.transact(["n"], add("n", 10))).toBe(11);
    held.cut();
    expect(await answer).toBe(111);
    expect(await replayed(on, folder)).toEqual({ n: "111" });
  });

  test("Redis was flushed and nobody restored it yet: what settling leaves there is not taken for foreign data", async () => {
    const { folder, held, answer } = await cutAfterExec(() => Promise.resolve());
    await held.deliver();
    await on.outside.flushall();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });
});

test("two segments that disagree about a commit are damage that names it", async () => {
  const { folder, store } = await pair();
  const forged = store.createSegment(1);
  await forged.append(encodeFrame([{ epoch: 1, n: 1, body: encodeBody("2026-01-31T12:00:00.000Z", "other", {}, new Map([["n", "7"]])) }]));
  await forged.close();
  await on.outside.flushall();
  const error = await outcome(on.open({ store: await on.store(folder) }).ready());
  expect(error).toMatchObject({ code: "log_damaged", message: expect.stringContaining("commit 1 of epoch 1") });
  expect(await on.outside.get("n")).toBeNull();
});
