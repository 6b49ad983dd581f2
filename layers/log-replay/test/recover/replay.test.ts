import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { replayed, segmentsIn, stage, stateOf } from "../support/stage.ts";
import { append, entry, filled } from "../support/logs.ts";

const on = stage();

describe("replay is a function of the log", () => {
  test("twice into an empty Redis gives the live state key by key, indexes included", async () => {
    const { folder } = await filled(on);
    const live = await stateOf(on.outside);
    expect(Object.keys(live).length).toBeGreaterThan(60);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
    await on.outside.flushall();
    await on.open({ store: await on.store(folder), indexes: ["i:"] }).ready();
    expect(await stateOf(on.outside)).toEqual(live);
  });

  test("whatever the files are called and however often a record is in them", async () => {
    const { store, folder } = await filled(on);
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
    await append(
      store,
      1,
      ...Array.from({ length: 40 }, (_, i) => [
        entry(1, i + 1, Object.fromEntries(Array.from({ length: 300 }, (_, k) => [`k:${(i * 97 + k) % 2_000}`, i]))),
      ]),
    );
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
    await state.occ.transactAlone([], () => ({ result: 0, set }), { timeout: 60_000 });
    expect(await state.keys("k:", { limit: 100_000 })).toHaveLength(keys.length);
    for (const key of keys.slice(1)) set[key] = null;
    await state.occ.transactAlone([], () => ({ result: 0, set }), { timeout: 60_000 });
    expect(await replayed(on, store.folder, ["k:"])).toEqual({
      "k:0": "1",
      "log:index:k:": ["k:0", expect.any(String)],
    });
  }, 120_000);

  test("nothing that Redis held before stays: the restore wipes first", async () => {
    const { folder } = await filled(on);
    const live = await stateOf(on.outside);
    await on.outside.del("log:guard");
    await on.outside.set("k:left-over", "1");
    await on.open({ store: await on.store(folder), indexes: ["i:"] }).ready();
    expect(await stateOf(on.outside)).toEqual(live);
  });
});
