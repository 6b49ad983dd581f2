import { expect, test } from "@jest/globals";
import { openFileStore } from "../../src/index.ts";
import { diff } from "../../src/tools/index.ts";
import { add, stage, waits } from "../support/stage.ts";
import { tampered, door, type Tampering } from "../support/tampered-store.ts";
import { twoEpochs } from "./support.ts";

const on = stage();

test("a Redis as its log says it is", async () => {
  const { store } = await twoEpochs(on);
  expect(await diff(store, on.redis.url)).toEqual({ keys: 1, differences: [] });
});

test("each key that somebody changed, added or removed behind the log's back", async () => {
  const { store, first } = await twoEpochs(on);
  await first.occ.transact([], () => ({ result: null, set: { a: 1, b: 2, c: { d: 3 } } }));
  await on.outside.set("a", "7");
  await on.outside.del("b");
  await on.outside.set("stray", "true");
  const { differences, keys } = await diff(store, on.redis.url);
  expect(keys).toBe(4);
  expect([...differences].sort((x, y) => x.key.localeCompare(y.key))).toEqual([
    { key: "a", log: "1", redis: "7" },
    { key: "b", log: "2", redis: null },
    { key: "stray", log: null, redis: "true" },
  ]);
});

test("while others write, nothing that is on its way is called a difference", async () => {
  const { store, first, second } = await twoEpochs(on);
  const load = Promise.all(
    [first, second].map(async (state, i) => {
      for (let k = 0; k < 200; k++)
        await state.occ.transact(["n", `k:${i}:${k % 7}`], (view) => ({
          result: k,
          set: { n: (view.get<number>("n") ?? 0) + 1, [`k:${i}:${k % 7}`]: k % 5 === 0 ? null : k },
        }));
    }),
  );
  for (let rounds = 0; rounds < 2 || (await waits(load, 0)); rounds++)
    expect((await diff(store, on.redis.url)).differences).toEqual([]);
});

test("a commit that Redis has and the log has not yet is no difference", async () => {
  const { store } = await twoEpochs(on);
  const tampering: Tampering = {};
  const slow = on.open({ store: tampered(await openFileStore({ folder: store.folder }), tampering) });
  await slow.ready();
  const stop = door();
  tampering.beforeAppend = stop.reach;
  const answer = slow.occ.transact(["n"], add("n", 100));
  await stop.reached;
  expect((await diff(store, on.redis.url)).differences).toEqual([]);
  stop.open();
  await answer;
});

test("an empty Redis, and one of another log, are not compared", async () => {
  const { store } = await twoEpochs(on);
  await expect(diff(await on.store(), on.redis.url)).rejects.toThrow("another log");
  await on.outside.flushall();
  await expect(diff(store, on.redis.url)).rejects.toThrow("Redis holds no state of this log now");
});
