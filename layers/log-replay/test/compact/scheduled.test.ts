import { expect, test } from "@jest/globals";
import { LoggedRedis } from "../../src/index.ts";
import { add, listener, replayed, stage, until } from "../support/stage.ts";

const on = stage();

test("with the option `compaction` a process that lives long compacts its log by itself, and keeps nobody waiting at its end", async () => {
  const store = await on.store();
  // A first process leaves a segment that is closed.
  const first = on.open({ store });
  for (let i = 0; i < 20; i++) await first.occ.transact(["n"], add("n"));
  await first.close();
  const { events, onEvent } = listener();
  const state = on.open({ store: await on.store(store.folder), compaction: { bytes: 1, age: 1, every: 20 }, onEvent });
  await on.outside.flushall();
  await state.occ.transact(["n"], add("n"));
  await until(async () => ((await store.snapshot())?.n ?? 0) >= 20);
  await state.close();
  expect(events.map(({ event }) => event)).not.toContain("compaction failed");
  expect(await replayed(on, store.folder)).toEqual({ n: "21" });
});

test("a compaction that fails is told, and tried again at the next look", async () => {
  const store = await on.store();
  const { begins } = store;
  let broken = true;
  store.begins = (...args) => (broken ? Promise.reject(new Error("no way")) : begins.call(store, ...args));
  const { events, onEvent } = listener();
  const state = on.open({ store, compaction: { bytes: 1, age: 1, every: 10 }, onEvent });
  await until(() => events.filter(({ event }) => event === "compaction failed").length > 1);
  broken = false;
  await state.occ.transact(["n"], add("n"));
});

test.each([{ bytes: 0, age: 1 }, { bytes: 1, age: 1, every: -1 }, { bytes: 1 }, { bytes: 1, age: 1, often: 1 }])(
  "%j is refused",
  async (compaction) => {
    const store = await on.store();
    expect(() => new LoggedRedis({ url: on.redis.url, store, compaction: compaction as never })).toThrow(TypeError);
  },
);
