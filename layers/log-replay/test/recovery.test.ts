import { copyFile, mkdir, readFile, readdir, rename, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { createFileStore, LogDamageError, openFileStore, StoreMismatchError, type LogStore } from "../src/index.ts";
import { encodeFrame } from "../src/frame.ts";
import { encodeBody } from "../src/record.ts";
import { add, listener, outcome, replayed, segmentsIn, stage, stateOf, until, waits } from "./support/stage.ts";
import { EXEC } from "../../redis-occ/test/support/commit-mode.ts";
import { door, tampered, type Tampering } from "./support/tampered-store.ts";

const on = stage();

/** A state with deleted, nested and indexed values, made by two writers. */
async function filled(indexes: readonly string[] = ["i:"]) {
  const store = await on.store();
  const a = on.open({ store, indexes });
  const b = on.open({ store: await on.store(store.folder), indexes });
  await a.ready();
  await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? a : b).occ.transact([`i:${i % 7}`, `k:${i}`], (view) => ({
    result: i,
    set: { [`i:${i % 7}`]: i % 11 === 0 ? null : { by: i, list: [i, null, "é\n"] }, [`k:${i}`]: (view.get<number>(`i:${i % 7}`) ?? 0) === 0 ? 1 : `"${i}"` },
  }))));
  return { store, folder: store.folder, a, b };
}

const entry = (epoch: number, n: number, set: Record<string, unknown>) => ({
  epoch,
  n,
  body: encodeBody(new Date(1_000 * n).toISOString(), `t-${epoch}-${n}`, {}, new Map(Object.entries(set).map(([key, value]) => [key, JSON.stringify(value)] as const))),
});

async function append(store: LogStore, epoch: number, ...frames: ReturnType<typeof entry>[][]): Promise<void> {
  const segment = store.createSegment(epoch);
  for (const frame of frames) await segment.append(encodeFrame(frame));
  await segment.close();
}

describe("replay is a function of the log", () => {
  test("twice into an empty Redis gives the live state key by key, indexes included", async () => {
    const { folder } = await filled();
    const live = await stateOf(on.outside);
    expect(Object.keys(live).length).toBeGreaterThan(60);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
    await on.outside.flushall();
    await on.open({ store: await on.store(folder), indexes: ["i:"] }).ready();
    expect(await stateOf(on.outside)).toEqual(live);
  });

  test("whatever the files are called and however often a record is in them", async () => {
    const { store, folder } = await filled();
    const live = await stateOf(on.outside);
    await replayed(on, folder, ["i:"]);
    const names = await segmentsIn(folder);
    expect(names.length).toBeGreaterThan(1);
    for (const [i, name] of names.entries()) {
      await copyFile(join(folder, name), join(folder, `segment-00000001-00000000-1-1-copy-${i}.jsonl`));
      await rename(join(folder, name), join(folder, `segment-00000001-${9 - i}-1-1-renamed-${i}.jsonl`));
    }
    expect(await store.segments(1)).toHaveLength(2 * names.length);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
  });

  test("after a replay that broke off at any chunk", async () => {
    const store = await on.store();
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    await append(store, 1, ...Array.from({ length: 40 }, (_, i) => [entry(1, i + 1, Object.fromEntries(Array.from({ length: 300 }, (_, k) => [`k:${(i * 97 + k) % 2_000}`, i])))]));
    const expected = await replayed(on, store.folder);
    for (let chunk = 0; chunk < 3; chunk++) {
      await on.outside.flushall();
      const proxy = await on.proxy();
      let writes = 0;
      proxy.catchAll("mset", (held) => (writes++ === chunk ? held.cut() : held.pass()));
      const state = on.open({ url: proxy.url, store: await on.store(store.folder), lockTtl: 500 });
      await state.ready();
      expect(writes).toBeGreaterThan(chunk);
      expect(await stateOf(on.outside)).toEqual(expected);
      await state.close();
    }
  });

  test("a record of more keys than a command can have arguments", async () => {
    const store = await on.store();
    const state = on.open({ store, indexes: ["k:"] });
    const keys = Array.from({ length: 60_000 }, (_, i) => `k:${i}`);
    const set: Record<string, number | null> = {};
    for (const key of keys) set[key] = 1;
    await state.occ.transactAlone([], () => ({ result: 0, set }), { timeout: 20_000 });
    expect(await state.keys("k:", { limit: 100_000 })).toHaveLength(keys.length);
    for (const key of keys.slice(1)) set[key] = null;
    await state.occ.transactAlone([], () => ({ result: 0, set }), { timeout: 20_000 });
    expect(await replayed(on, store.folder, ["k:"])).toEqual({ "k:0": "1", "log:index:k:": ["k:0", expect.any(String)] });
  });

  test("nothing that Redis held before stays: the restore wipes first", async () => {
    const { folder } = await filled();
    const live = await stateOf(on.outside);
    await on.outside.del("log:guard");
    await on.outside.set("k:left-over", "1");
    await on.open({ store: await on.store(folder), indexes: ["i:"] }).ready();
    expect(await stateOf(on.outside)).toEqual(live);
  });
});

describe("no write on missing state, and no answer from it", () => {
  test("an empty Redis is restored before a transaction, a read, a list of keys", async () => {
    const { folder } = await filled();
    const live = await stateOf(on.outside);
    for (const use of ["transact", "read", "keys"] as const) {
      await on.outside.flushall();
      const state = on.open({ store: await on.store(folder), indexes: ["i:"] });
      if (use === "transact") expect(await state.occ.transact(["k:1"], (view) => ({ result: view.get("k:1") }))).toEqual(JSON.parse(live["k:1"] as string));
      if (use === "read") expect(await state.occ.read(["k:1"])).toEqual([JSON.parse(live["k:1"] as string)]);
      if (use === "keys") expect(await state.keys("i:")).toEqual((live["log:index:i:"] as string[]).filter((_, i) => i % 2 === 0));
      expect(await stateOf(on.outside)).toEqual(live);
    }
  });

  test("a Redis that is flushed between WATCH and EXEC takes no write", async () => {
    const { folder } = await filled();
    const proxy = await on.proxy();
    const state = on.open({ url: proxy.url, store: await on.store(folder) });
    await state.occ.transact(["c"], add("c"));
    const executing = proxy.catchNext(EXEC);
    const answer = state.occ.transact(["c"], add("c"));
    const held = await executing;
    await on.outside.flushall();
    held.pass();
    expect(await answer).toBe(2);
    expect((await stateOf(on.outside))["c"]).toBe("2");
  });

  test("a Redis that is flushed between WATCH and EXEC takes no write of keys that were missing before either", async () => {
    const { folder } = await filled();
    const proxy = await on.proxy();
    const state = on.open({ url: proxy.url, store: await on.store(folder) });
    await state.ready();
    const executing = proxy.catchNext(EXEC);
    const answer = state.occ.transact(["fresh"], add("fresh"));
    const held = await executing;
    await on.outside.flushall();
    held.pass();
    expect(await answer).toBe(1);
    expect(Object.keys(await stateOf(on.outside)).length).toBeGreaterThan(60);
    expect(await replayed(on, folder)).toMatchObject({ fresh: "1" });
  });

  test("a Redis killed and started again, empty, is restored on the way", async () => {
    const { folder } = await filled();
    const server = await on.ownRedis();
    const state = on.open({ url: server.url, store: await on.store(folder) });
    await state.occ.transact(["c"], add("c"));
    await server.kill();
    const answer = state.occ.transact(["c"], add("c"));
    await on.ownRedis({ port: server.port });
    expect(await answer).toBe(2);
    expect(await state.occ.read(["c"])).toEqual([2]);
  });
});

describe("a stale Redis, an older copy of the data put back, is never obeyed", () => {
  /** Redis is saved, the state goes on, and Redis comes back with the older copy. */
  async function putBack(goOn: (state: ReturnType<typeof on.open>, folder: string) => Promise<unknown>) {
    const folder = (await on.store()).folder;
    const dumps = await on.folder();
    const args = ["--dir", dumps, "--dbfilename", "dump.rdb"];
    const server = await on.ownRedis({ args });
    const first = on.open({ url: server.url, store: await on.store(folder) });
    await first.occ.transact(["n"], add("n"));
    await on.connect(server.url).save();
    await goOn(first, folder);
    await first.close();
    await server.kill();
    const again = await on.ownRedis({ port: server.port, args });
    expect(await on.connect(again.url).get("n")).toBe("1");
    expect(await on.connect(again.url).get("log:guard")).not.toBeNull();
    return { folder, url: again.url };
  }

  test("the copy lacks the last commits: they are there before anything is answered", async () => {
    const { folder, url } = await putBack(async (state) => {
      for (let i = 0; i < 5; i++) await state.occ.transact(["n"], add("n"));
    });
    const state = on.open({ url, store: await on.store(folder) });
    expect(await state.occ.read(["n"])).toEqual([6]);
    expect(await state.occ.transact(["n"], add("n"))).toBe(7);
  });

  test("the copy has reached the same commit number as the log, with other content", async () => {
    const { folder, url } = await putBack(async (state) => {
      await state.occ.transact(["n"], add("n", 5));
    });
    // The copy goes on by itself to number 2, as a server would that was never told of the log's own number 2.
    const outside = on.connect(url);
    await outside.multi().set("n", "1000").xadd("log:tail", "1-2", "r", entry(1, 2, { n: 1000 }).body).exec();
    const state = on.open({ url, store: await on.store(folder) });
    expect(await state.occ.read(["n"])).toEqual([6]);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });
});

describe("what is not ours is neither wiped nor obeyed", () => {
  test("data in Redis that is of no log", async () => {
    const store = await on.store();
    await on.outside.set("somebody:else", "1");
    const error = await outcome(on.open({ store }).ready());
    expect(error).toBeInstanceOf(StoreMismatchError);
    expect(error).toMatchObject({ retryable: false });
    expect(await on.outside.get("somebody:else")).toBe("1");
    expect(await store.claims()).toEqual([]);
  });

  test("data in Redis that looks like the log's own keys and is of no log", async () => {
    const store = await on.store();
    await on.outside.set("log:2026-01-31", "someone's log");
    expect(await outcome(on.open({ store }).ready())).toBeInstanceOf(StoreMismatchError);
    expect(await on.outside.get("log:2026-01-31")).toBe("someone's log");
  });

  test("the state of another log, whole or half restored", async () => {
    const { folder } = await filled();
    const live = await stateOf(on.outside);
    for (const half of [false, true]) {
      if (half) await on.outside.del("log:guard");
      const wrong = on.open({ store: await on.store() });
      for (const use of [wrong.ready(), wrong.occ.read(["k:1"]), wrong.occ.transact(["k:1"], add("k:1"))]) expect(await outcome(use)).toBeInstanceOf(StoreMismatchError);
      expect(await stateOf(on.outside)).toEqual(live);
    }
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
  });

  test("a guard that is ahead of the store's claims: an older copy of the folder", async () => {
    const { folder, a } = await filled();
    const old = await on.folder();
    for (const name of ["store.json", "claim-00000001", "begin-00000001.json", ...(await segmentsIn(folder))]) await copyFile(join(folder, name), join(old, name));
    await on.outside.flushall();
    await a.occ.transact(["k:1"], () => ({ result: 0, set: { "k:1": "newer" } }));
    const live = await stateOf(on.outside);
    const behind = on.open({ store: await openFileStore({ folder: old }) });
    for (const use of [behind.ready(), behind.occ.read(["k:1"]), behind.occ.transact(["k:1"], add("k:1"))]) expect(await outcome(use)).toBeInstanceOf(StoreMismatchError);
    // The same in a server that was started anew, where the guard is not fine anyway.
    await on.outside.set("log:guard", (await on.outside.get("log:guard") ?? "").replace(/"run_id":"\w+"/, '"run_id":"before"'));
    expect(await outcome(behind.ready())).toBeInstanceOf(StoreMismatchError);
    expect(await stateOf(on.outside)).toEqual(live);
    expect(await (await openFileStore({ folder: old })).claims()).toEqual([1]);
  });

  test("an empty folder mounted in the place of the log's, under a process that runs", async () => {
    const { folder, a } = await filled();
    const live = await stateOf(on.outside);
    await rename(folder, `${folder}.away`);
    on.after(() => rm(`${folder}.away`, { recursive: true }));
    await mkdir(folder);
    await createFileStore(folder);
    const error = await outcome(a.occ.transact(["k:1"], add("k:1"), { timeout: 500 }));
    expect(error).toBeInstanceOf(Error);
    expect((await segmentsIn(folder)).length).toBeLessThanOrEqual(1);
    expect(await readdir(folder)).not.toContain("claim-00000002");
    const changed = await stateOf(on.outside);
    expect({ ...changed, "k:1": live["k:1"] }).toEqual(live);
  });
});

describe("damage stops the restore, names its place, and leaves Redis alone", () => {
  /** Epoch 1 with commits 1 to 6 in three frames; epoch 2 goes on from 6 with 7 and 8. */
  async function twoEpochs() {
    const store = await on.store();
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    await append(store, 1, [entry(1, 1, { n: 1 }), entry(1, 2, { n: 2 })], [entry(1, 3, { n: 3 })], [entry(1, 4, { n: 4 }), entry(1, 5, { n: 5 }), entry(1, 6, { n: 6 })]);
    await store.claim(2);
    await store.writeBegin(2, { parent: 1, cut: 6 });
    await append(store, 2, [entry(2, 7, { n: 7 })], [entry(2, 8, { n: 8 })]);
    return store;
  }

  async function damage(store: LogStore): Promise<LogDamageError> {
    const events = listener();
    const error = await outcome(on.open({ store, onEvent: events.onEvent }).ready());
    expect(error).toBeInstanceOf(LogDamageError);
    expect(error).toMatchObject({ retryable: false, code: "log_damaged" });
    expect(events.count("restored")).toBe(0);
    expect(await on.outside.keys("*")).toEqual([]);
    return error as LogDamageError;
  }

  test("without damage the last commit counts", async () => {
    const store = await twoEpochs();
    expect(await on.open({ store }).occ.read(["n"])).toEqual([8]);
  });

  test("a spoilt byte: file and line", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    const path = join(store.folder, name as string);
    await writeFile(path, (await readFile(path, "utf8")).replace('{"n":3}', '{"n":9}'));
    expect((await damage(store)).message).toMatch(`${name}:3: a bad checksum`);
  });

  test("a hole below a cut: the commit that is missing", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    const path = join(store.folder, name as string);
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, [...lines.slice(0, 2), ...lines.slice(3)].join("\n"));
    expect((await damage(store)).message).toBe("epoch 1: commit 3 is missing, and the log goes on to commit 6");
  });

  test("a segment of a sealed epoch is gone", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    await unlink(join(store.folder, name as string));
    expect((await damage(store)).message).toBe("epoch 1: commit 1 is missing, and the log goes on to commit 6");
  });

  test("a segment of the last epoch is gone that another one goes on from: no crash leaves that", async () => {
    const store = await twoEpochs();
    await append(store, 2, [entry(2, 10, { n: 10 })]);
    expect((await damage(store)).message).toBe("epoch 2: commit 9 is missing, and the log goes on to commit 10");
  });

  test("the beginning of an epoch is gone that has records, the last one or one in the chain", async () => {
    const store = await twoEpochs();
    await unlink(join(store.folder, "begin-00000002.json"));
    expect((await damage(store)).message).toMatch(/^segment-00000002-.*: epoch 2 has records, and its beginning is gone$/);
    await store.claim(9);
    await store.writeBegin(9, { parent: 2, cut: 8 });
    expect((await damage(store)).message).toMatch("the chain of epochs below 9 is broken");
  });

  test("a torn last frame is none: it is cut off, with a copy kept, where its writer is gone", async () => {
    const store = await twoEpochs();
    const torn = Buffer.concat([encodeFrame([entry(2, 9, { n: 9 })]), encodeFrame([entry(2, 10, { n: 10 })]).subarray(0, 50)]);
    const whole = encodeFrame([entry(2, 9, { n: 9 })]);
    const [where] = ((await segmentsIn(store.folder))[0] ?? "").split("-").slice(2);
    const name = `segment-00000002-${where}-4194305-1-dead-1.jsonl`;
    await writeFile(join(store.folder, name), torn);
    const events = listener();
    expect(await on.open({ store, onEvent: events.onEvent }).occ.read(["n"])).toEqual([9]);
    const cut = events.events.find(({ event }) => event === "torn frame cut") as { copy: string };
    expect(cut).toMatchObject({ segment: name });
    expect(await readFile(join(store.folder, name))).toEqual(whole);
    expect(await readFile(join(store.folder, cut.copy))).toEqual(torn);
  });

  test("a torn last frame of a writer that may live is passed over and left as it is", async () => {
    const store = await twoEpochs();
    const name = "segment-00000002-elsewhe-17-1-x-1.jsonl";
    await writeFile(join(store.folder, name), encodeFrame([entry(2, 9, { n: 9 })]).subarray(0, 50));
    const events = listener();
    expect(await on.open({ store, onEvent: events.onEvent }).occ.read(["n"])).toEqual([8]);
    expect(events.count("torn frame cut")).toBe(0);
    expect((await readFile(join(store.folder, name))).length).toBe(50);
  });
});

describe("one process restores, the others wait; the lock is fenced", () => {
  test("ten clients on an empty Redis: one restore, and all go on", async () => {
    const { folder } = await filled();
    const live = await stateOf(on.outside);
    await on.outside.flushall();
    const events = listener();
    const clients = await Promise.all(Array.from({ length: 10 }, async () => on.open({ store: await on.store(folder), onEvent: events.onEvent, indexes: ["i:"] })));
    await Promise.all(clients.map((state) => state.ready()));
    expect(events.count("restored")).toBe(1);
    expect(await stateOf(on.outside)).toEqual(live);
    await Promise.all(clients.map((state) => state.occ.transact(["c"], add("c"))));
    expect((await stateOf(on.outside))["c"]).toBe("10");
  });

  /** A restore that stops before its second chunk of the second reading. */
  async function inTheMiddle(lockTtl: number) {
    const store = await on.store();
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    await append(store, 1, ...Array.from({ length: 5 }, (_, i) => [entry(1, i + 1, Object.fromEntries(Array.from({ length: 1_000 }, (_, k) => [`k:${i}:${k}`, i])))]));
    const proxy = await on.proxy();
    const events = listener();
    const state = on.open({ url: proxy.url, store, lockTtl, onEvent: events.onEvent });
    const writing = proxy.catchNext("mset");
    const ready = state.ready();
    const held = await writing;
    return { store, held, ready, events };
  }

  test("a lock that expires in the middle of a restore: another one starts over, and the first writes nothing more", async () => {
    const { store, held, ready, events } = await inTheMiddle(400);
    expect(await on.outside.get("log:guard")).toBeNull();
    const others = listener();
    const other = on.open({ store: await on.store(store.folder), onEvent: others.onEvent });
    expect(await other.occ.transact(["k:0:0"], add("k:0:0", 7))).toBe(7);
    held.pass();
    await ready;
    expect(others.count("restored")).toBe(1);
    expect(events.count("restored")).toBe(0);
    expect(await on.outside.get("k:0:0")).toBe("7");
  });

  test("a lock that is stolen in the middle of a restore: what its loser had sent is not run", async () => {
    const { store, held, ready, events } = await inTheMiddle(60_000);
    await on.outside.set("log:lock", "a thief", "PX", 300);
    held.pass();
    await ready;
    expect(events.events.filter(({ event }) => event === "restore started")).toHaveLength(2);
    expect(events.count("restored")).toBe(1);
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
  });

  test("a Redis that is flushed in the middle of a restore: it starts over", async () => {
    const { store, held, ready, events } = await inTheMiddle(3_000);
    await on.outside.flushall();
    held.pass();
    await ready;
    expect(events.count("restored")).toBe(1);
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
    expect(Object.keys(await stateOf(on.outside))).toHaveLength(5_000);
  });

  test("the connection breaks in the middle of a restore: it starts over with a wipe", async () => {
    const { store, held, ready } = await inTheMiddle(500);
    held.cut();
    await ready;
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
  });

  test("two recoverers at once never share an epoch, whoever has the lock", async () => {
    const { store } = await filled();
    // Both believe to have the lock: the first one's expires while it hangs before its claim.
    const tampering: Tampering = {};
    const stop = door();
    tampering.beforeClaim = stop.reach;
    await on.outside.flushall();
    const firsts = listener();
    const first = on.open({ store: tampered(store, tampering), lockTtl: 500, onEvent: firsts.onEvent });
    const ready = first.ready();
    await stop.reached;
    const seconds = listener();
    const second = on.open({ store: await on.store(store.folder), onEvent: seconds.onEvent });
    await second.ready();
    delete tampering.beforeClaim;
    stop.open();
    await ready;
    const epochs = [...firsts.events, ...seconds.events].filter(({ event }) => event === "restore started").map((event) => (event as { epoch: number }).epoch);
    expect(new Set(epochs).size).toBe(epochs.length);
    await Promise.all([first.occ.transact(["c"], add("c")), second.occ.transact(["c"], add("c"))]);
    expect((await stateOf(on.outside))["c"]).toBe("2");
  });

  test("what recovery stands on is synced before the next epoch begins", async () => {
    const { store } = await filled();
    const order: string[] = [];
    await on.outside.flushall();
    await on.open({ store: tampered(store, { beforeClaim: () => order.push("claim"), beforeRead: () => order.push("read"), beforeSync: (frames) => order.push(`sync ${frames.length}`), beforeBegin: () => order.push("begin") }) }).ready();
    const names = (await store.segments(1)).length;
    // Each is opened twice: once for its first commit alone.
    expect(order.slice(0, 3 + 2 * names)).toEqual(["claim", ...Array.from({ length: 2 * names }, () => "read"), `sync ${names}`, "begin"]);
  });

  test("a restore that takes long says how far it is", async () => {
    const { store } = await filled();
    const slow = tampered(store, { beforeRead: () => new Promise((resolve) => setTimeout(resolve, 600)) });
    await on.outside.flushall();
    const events = listener();
    await on.open({ store: slow, onEvent: events.onEvent, lockTtl: 30_000 }).ready({ timeout: 20_000 });
    expect(events.events.find(({ event }) => event === "restore progress")).toMatchObject({ of: 60, records: expect.any(Number) });
  });

  test("close ends a restore that is under way, and the next one need not wait for its lock", async () => {
    const { store } = await filled();
    const tampering: Tampering = {};
    const stop = door();
    tampering.beforeBegin = stop.reach;
    await on.outside.flushall();
    const first = on.open({ store: tampered(store, tampering), lockTtl: 400 });
    const ready = outcome(first.ready());
    await stop.reached;
    const closed = first.close();
    expect(await waits(closed)).toBe(true);
    stop.open();
    await closed;
    const claims = await store.claims();
    expect(await ready).toBeInstanceOf(Error);
    expect(await store.claims()).toEqual(claims);
    const second = on.open({ store: await on.store(store.folder) });
    await second.ready();
    await until(async () => (await on.outside.get("log:guard")) !== null);
  });
});
