import { expect, test } from "@jest/globals";
import { compact, stateAt } from "../../src/index.ts";
import { restoreTo } from "../../src/tools/index.ts";
import { append, entry } from "../support/logs.ts";
import { add, records, replayed, stage, stateOf, until } from "../support/stage.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";
import { twoEpochs, verified } from "./support.ts";

const on = stage();

test("back to an earlier commit, and forward in the log: a new epoch sets what has changed since, and nothing is unwritten", async () => {
  const { store, first } = await twoEpochs(on);
  const before = await records(store.folder);
  const { epoch, to, changed } = await restoreTo({ store, moment: { n: 2 }, url: on.redis.url });
  expect({ epoch, to, changed }).toEqual({
    epoch: 3,
    to: expect.objectContaining({ epoch: 1, n: 2 }) as unknown,
    changed: 2,
  });
  expect(await stateOf(on.outside)).toEqual({ n: "2" });
  const after = await records(store.folder);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.slice(before.length)).toMatchObject([
    { epoch: 3, n: 7, op: "restore", to: "1:2", set: { n: 2, m: null } },
  ]);
  // The processes of before go on in the new epoch.
  expect(await first.occ.transact(["n"], add("n"))).toBe(3);
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ n: "3" });
});

test("to a commit from before a snapshot: the archive has it", async () => {
  const { store, second } = await twoEpochs(on);
  await compact(store);
  await restoreTo({ store, moment: { n: 2 }, url: on.redis.url });
  expect(await stateOf(on.outside)).toEqual({ n: "2" });
  expect(await second.occ.transact(["n"], add("n"))).toBe(3);
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ n: "3" });
});

test("and back again, to a commit before the restore", async () => {
  const { store } = await twoEpochs(on);
  await restoreTo({ store, moment: { n: 2 }, url: on.redis.url });
  await restoreTo({ store, moment: { n: 5 }, url: on.redis.url });
  expect(await stateOf(on.outside)).toEqual({ n: "23" });
});

test("without a Redis the log alone goes back; whoever comes next replays it", async () => {
  const { store, second } = await twoEpochs(on);
  await restoreTo({ store, moment: { n: 0 } });
  // The claim is what tells those who still write that their epoch is over.
  expect(await store.claims()).toEqual([1, 2, 3]);
  expect(await store.isSealed(2)).toBe(true);
  expect((await stateAt(store)).images.size).toBe(0);
  expect(await second.occ.transact(["n"], add("n"))).toBe(1);
  expect(await stateOf(on.outside)).toEqual({ n: "1" });
});

test("nothing has changed since: a new epoch, and no record", async () => {
  const { store } = await twoEpochs(on);
  expect(await restoreTo({ store, moment: { n: 6 }, url: on.redis.url })).toMatchObject({ epoch: 3, changed: 0 });
  expect(await records(store.folder)).toHaveLength(6);
});

test("nothing has changed since, and a recovery that had not seen the new epoch goes on from a later commit: it starts over, and is done", async () => {
  const { store, first, second } = await twoEpochs(on);
  await first.close();
  await second.close();
  let begun = 0;
  const slow = tampered(await on.store(store.folder), {
    afterBegin: () => void begun++,
    // What has changed since is looked for in this history, which ends with the new epoch.
    afterBegins: async () => {
      if (begun !== 1) return;
      begun++;
      await append(store, 2, [entry(2, 7, { n: 99 })]);
      await store.claim(4);
      await store.writeBegin(4, { parent: 2, cut: 7 });
    },
  });
  expect(await restoreTo({ store: slow, moment: { n: 6 } })).toMatchObject({ epoch: 5, changed: 1 });
  expect(await replayed(on, store.folder)).toEqual({ m: '"x"' });
});

test("indexes are those of the earlier state", async () => {
  const { store } = await twoEpochs(on);
  const state = on.open({ store, indexes: ["row:"] });
  await state.occ.transact([], () => ({ result: null, set: { "row:1": 1 } }));
  await state.occ.transact([], () => ({ result: null, set: { "row:1": null, "row:2": 2 } }));
  await restoreTo({ store, moment: { n: 7 }, url: on.redis.url, indexes: ["row:"] });
  expect(await state.keys("row:")).toEqual(["row:1"]);
});

test("while two processes write: what was answered before is undone or done after, and nothing is lost in between", async () => {
  const { store, first, second } = await twoEpochs(on);
  const answers: number[] = [];
  let running = true;
  const load = Promise.all(
    [first, second].map(async (state) => {
      while (running) answers.push(await state.occ.transact(["k"], add("k")));
    }),
  );
  await until(() => answers.length > 20);
  const { epoch } = await restoreTo({ store, moment: { n: 6 }, url: on.redis.url });
  const known = answers.length;
  await until(() => answers.length > known + 20);
  running = false;
  await load;
  expect((await verified(store)).damages).toEqual([]);
  const all = await records(store.folder);
  const restored = all.findIndex(({ op }) => op === "restore");
  expect(all[restored]).toMatchObject({ epoch, set: { k: null } });
  // Counted from the restore on, each answer is one record.
  const count = all.slice(restored + 1).filter(({ set }) => "k" in (set as object)).length;
  expect(await stateOf(on.outside)).toEqual({ m: '"x"', k: String(count) });
});

test("another recovery that ends the epoch in the middle of it: it starts over, and is done once", async () => {
  const { store, first } = await twoEpochs(on);
  const tampering: Tampering = {};
  const slow = tampered(await on.store(store.folder), tampering);
  const stop = door();
  let times = 0;
  tampering.beforeAppend = () => (times++ === 0 ? stop.reach() : undefined);
  const restoring = restoreTo({ store: slow, moment: { n: 2 }, url: on.redis.url });
  await stop.reached;
  // Its lock is taken away, and somebody else restores what there was.
  await on.outside.flushall();
  expect(await first.occ.transact(["n"], add("n"))).toBe(1);
  stop.open();
  await restoring;
  expect(await stateOf(on.outside)).toEqual({ n: "2" });
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ n: "2" });
});

test("without a Redis, a recovery that ends the epoch in the middle of it: it starts over, and is done", async () => {
  const { store, first } = await twoEpochs(on);
  const tampering: Tampering = {};
  const slow = tampered(await on.store(store.folder), tampering);
  const stop = door();
  tampering.beforeAppend = stop.reach;
  const restoring = restoreTo({ store: slow, moment: { n: 2 } });
  await stop.reached;
  await on.outside.flushall();
  await first.occ.transact(["m"], add("m"));
  await first.close();
  delete tampering.beforeAppend;
  stop.open();
  await restoring;
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ n: "2" });
});

test("a moment that the history does not have changes nothing", async () => {
  const { store } = await twoEpochs(on);
  await expect(restoreTo({ store, moment: { n: 99 }, url: on.redis.url })).rejects.toThrow(RangeError);
  expect(await store.claims()).toEqual([1, 2]);
});

test("a Redis with other data is not wiped", async () => {
  const { store } = await twoEpochs(on);
  const other = await on.ownRedis();
  const client = on.connect(other.url);
  await client.set("precious", "1");
  await expect(restoreTo({ store, moment: { n: 2 }, url: other.url })).rejects.toThrow("it will not be wiped");
  expect(await client.get("precious")).toBe("1");
});

test("a replica is refused, and no epoch is claimed for it", async () => {
  const { store } = await twoEpochs(on);
  const replica = await on.ownRedis({ args: ["--dir", await on.folder()] });
  await on.connect(replica.url).replicaof("127.0.0.1", on.redis.port);
  await expect(restoreTo({ store, moment: { n: 2 }, url: replica.url })).rejects.toMatchObject({
    code: "redis_replica",
  });
  expect(await store.claims()).toEqual([1, 2]);
});
