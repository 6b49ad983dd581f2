import { expect, test } from "@jest/globals";
import { encodeFrame } from "../../src/format/frame.ts";
import { encodeBody } from "../../src/format/record.ts";
import { add, listener, outcome, records, replayed, stage, stateOf, waits } from "../support/stage.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";
import { pair } from "../support/pair.ts";

const on = stage();

test("a record of a sealed epoch that arrives late is not resurrected, by this restore or any later one", async () => {
  const { folder, tampering, state, other } = await pair(on);
  const stop = door();
  tampering.beforeAppend = stop.reach;
  // Each attempt writes a key of its own, so that one can tell what comes back.
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
  expect(late.map(({ epoch, set }) => [epoch, set])).toEqual([
    [1, { n: 101, "attempt:101": true }],
    [2, { n: 11 }],
  ]);
  const right = { n: "111", "attempt:111": "true" };
  expect(await replayed(on, folder)).toEqual(right);
  expect(await replayed(on, folder)).toEqual(right);
  expect(await stateOf(on.outside)).toEqual(right);
});

test("an append that the claim overtook is answered with 200 where the next epoch goes on from behind it: never lost, never twice", async () => {
  const { folder, store, tampering, state } = await pair(on);
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
  expect(await store.begins()).toEqual(
    new Map([
      [1, { parent: 0, cut: 0 }],
      [2, { parent: 1, cut: 2 }],
    ]),
  );
  expect(await replayed(on, folder)).toEqual({ n: "101" });
});

test("a claim alone decides nothing: the commit waits until the epoch has begun, and says neither yes nor no before", async () => {
  const { store, tampering, state } = await pair(on);
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
  const { folder, store, tampering, state } = await pair(on);
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
  // The other one had read the begins before, and goes on after the commit. It is the one that counts.
  await store.writeBegin(3, { parent: 1, cut: 2 });
  await store.claim(5);
  await store.writeBegin(5, { parent: 3, cut: 2 });
  recovery.open();
  expect(await answer).toBe(101);
  expect(await replayed(on, folder)).toEqual({ n: "101" });
});

test("an epoch that a recoverer claimed before it died is passed over, and nobody is given its number", async () => {
  const { folder, store } = await pair(on);
  await store.claim(2);
  await on.outside.flushall();
  const events = listener();
  const third = on.open({ store: await on.store(folder), onEvent: events.onEvent });
  expect(await third.occ.transact(["n"], add("n"))).toBe(2);
  expect(events.events).toMatchObject([
    { event: "restore started", epoch: 3 },
    { event: "restored", epoch: 3, records: 1 },
  ]);
  expect(await store.begins()).toEqual(
    new Map([
      [1, { parent: 0, cut: 0 }],
      [3, { parent: 1, cut: 1 }],
    ]),
  );
});

test("a commit in an epoch that was sealed before is answered only from a later one", async () => {
  const { folder, store } = await pair(on);
  await store.claim(2);
  const third = on.open({ store: await on.store(folder) });
  expect(await third.occ.transact(["n"], add("n"))).toBe(2);
  expect((await store.begins()).get(3)).toEqual({ parent: 1, cut: 2 });
  expect(JSON.parse((await on.outside.get("log:guard")) ?? "")).toMatchObject({ epoch: 3 });
  expect(await replayed(on, folder)).toEqual({ n: "2" });
});

test("an answer from before the last restore, dealt with after it, does not take the process back into the old epoch", async () => {
  const { folder, other, store } = await pair(on);
  const tampering: Tampering = {};
  const state = on.open({ store: tampered(await on.store(folder), tampering) });
  const slow = door();
  tampering.afterBeginRead = slow.reach;
  const read = state.occ.read(["n"]);
  await slow.reached;
  delete tampering.afterBeginRead;
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
  const { folder, tampering, state, other } = await pair(on);
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

test("two segments that disagree about a commit are damage that names it", async () => {
  const { folder, store } = await pair(on);
  const forged = store.createSegment(1);
  await forged.append(
    encodeFrame([{ epoch: 1, n: 1, body: encodeBody("2026-01-31T12:00:00.000Z", "other", "", new Map([["n", "7"]])) }]),
  );
  await forged.close();
  await on.outside.flushall();
  const error = await outcome(on.open({ store: await on.store(folder) }).ready());
  expect(error).toMatchObject({ code: "log_damaged", message: expect.stringContaining("commit 1 of epoch 1") });
  expect(await on.outside.get("n")).toBeNull();
});
