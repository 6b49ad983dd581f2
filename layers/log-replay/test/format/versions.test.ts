/** Logs of every format that there ever was are read for ever; one of a format that is not known is left alone. */
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { fields } from "redis-occ";
import { compact, createFileStore, FormatError, openFileStore, readHistory, stateAt } from "../../src/index.ts";
import { planRepair, restoreTo } from "../../src/tools/index.ts";
import { twoEpochs, verified } from "../tools/support.ts";
import { textOf } from "../support/logs.ts";
import { add, outcome, replayed, stage, stateOf } from "../support/stage.ts";

const on = stage();
const FIXTURES = join(import.meta.dirname, "..", "fixtures");

/** What the golden logs hold: three epochs, a snapshot of commit 6, an archive. */
const STATE = {
  n: "12",
  'k:é\n"\\🦊': JSON.stringify({ text: 'é\n\u0000"\\', list: [1, null, true, -1.5e-7], deep: { a: {} } }),
  "i:1": "1",
  "i:3": '"later"',
  "k:last": "9007199254740991",
};

async function golden(name: string) {
  const folder = await on.folder();
  await cp(join(FIXTURES, name), folder, { recursive: true });
  return { folder, store: await openFileStore({ folder }) };
}

describe.each(["format-1-unnamed", "format-1"])("the golden log %s", (name) => {
  test("is sound, and gives its history, its past and its state", async () => {
    const { store } = await golden(name);
    expect(await verified(store)).toMatchObject({ findings: [], summary: { records: 8, epochs: 3 } });
    expect(textOf(await stateAt(store))).toEqual(STATE);
    expect(textOf(await stateAt(store, { n: 5 }))).toEqual({
      ...{ n: "3", "i:1": "1", "i:3": "3" },
      'k:é\n"\\🦊': STATE['k:é\n"\\🦊'],
    });
    const records = [];
    for await (const record of readHistory(store)) records.push(record);
    expect(records.map(({ epoch, n, op }) => [epoch, n, op])).toEqual([
      [1, 1, "put"],
      [1, 2, "group"],
      [1, 3, "group"],
      [1, 4, "group"],
      [1, 5, "put"],
      [2, 6, "put"],
      [2, 7, "put"],
      [3, 8, "put"],
    ]);
    expect(records[1]).toMatchObject({ saga: "s-1", note: { frame: { lines: 1 } }, set: { "i:1": 1, n: 1 } });
  });

  test("is restored from, gone on with, compacted and restored again", async () => {
    const { folder, store } = await golden(name);
    const state = on.open({ store, indexes: ["i:"] });
    await state.ready();
    expect(await stateOf(on.outside)).toMatchObject(STATE);
    expect(await state.occ.transact(["n"], add("n"))).toBe(13);
    await compact(store);
    expect((await verified(store)).damages).toEqual([]);
    expect(await replayed(on, folder)).toEqual({ ...STATE, n: "13" });
  });
});

/** What the golden log of the second format holds: an epoch of the first one, two of the second, a snapshot of commit 4. */
describe("the golden log format-2", () => {
  const FAR = 4_102_444_803_000;
  const KEPT = { 's:é\n"\\': '"kept"', "i:1": "1", "k:stays": '{"a":[1,null]}' };
  const STATE_2 = { ...KEPT, n: "4", "s:stays": "2", "s:two": "3" };

  test("is sound, and gives its history, its past and its state: what had ended by then is not in it", async () => {
    const { store } = await golden("format-2");
    expect(await verified(store)).toMatchObject({ findings: [], summary: { records: 6, epochs: 3 } });
    const state = await stateAt(store);
    expect(textOf(state)).toEqual(STATE_2);
    expect(state.images.get('s:é\n"\\')).toMatchObject({ end: FAR });
    expect(state.images.get("s:stays")).toMatchObject({ end: null });
    expect(textOf(await stateAt(store, { n: 4 }))).toEqual({ ...KEPT, n: "3", "s:hour": "1", "s:stays": "1" });
    const ended = { "s:ended": "1", "s:long ended": "1" };
    expect(textOf(await stateAt(store, { n: 3 }))).toMatchObject({ n: "3", ...ended });
    expect(textOf(await stateAt(store, { at: Date.parse("2026-01-31T13:00:00Z") }))).not.toMatchObject(ended);
    const records = [];
    for await (const record of readHistory(store)) records.push(record);
    expect(records[3]).toMatchObject({ n: 4, ends: { "s:hour": 1_769_868_073_000, "s:stays": FAR } });
    expect(records[4]).toMatchObject({ note: { ends: { n: 1 } }, ends: { "s:two": FAR - 1_000 } });
  });

  test("is restored from, gone on with, compacted and restored again, by who lets keys end and by who does not", async () => {
    const { folder, store } = await golden("format-2");
    const state = on.open({ store, indexes: ["i:"] });
    await state.ready();
    expect(await stateOf(on.outside)).toMatchObject(STATE_2);
    expect(await state.occ.transact(["n"], add("n"))).toBe(5);
    const other = on.open({ store: await openFileStore({ folder }), expiry: true });
    await other.occ.transact([], () => ({ result: null, set: { 's:é\n"\\': "again" } }));
    expect(await on.outside.pexpiretime('s:é\n"\\')).toBe(FAR);
    await compact(store);
    expect((await verified(store)).damages).toEqual([]);
    expect(await replayed(on, folder)).toEqual({ ...STATE_2, n: "5", 's:é\n"\\': '"again"' });
  });
});

/** What the golden log of the third format holds: an epoch of the first one, two of the third, a snapshot of commit 4. */
describe("the golden log format-3", () => {
  const NAMED = { 'é\n"\\': '{"deep":[1]}', ["__proto__"]: "1" };
  const KEPT = { "i:1": "1", "k:stays": '{"a":[1,null]}', "k:was": { now: '"a hash"' } };
  const STATE_3 = { ...KEPT, n: "4", h: { ...NAMED, b: "3", c: "4" }, g: { y: "1" }, e: { b: "1" } };

  test("is sound, and gives its history, its past and its state: hashes with the fields of then", async () => {
    const { store } = await golden("format-3");
    expect(await verified(store)).toMatchObject({ findings: [], summary: { records: 9, epochs: 3 } });
    const fieldsIn = async (n: number) =>
      Object.fromEntries(
        [...(await stateAt(store, { n })).images].map(([key, { image, fields: own }]) => [
          key,
          own === undefined ? image : Object.fromEntries(own),
        ]),
      );
    expect(await fieldsIn(9)).toEqual(STATE_3);
    expect(await fieldsIn(7)).toEqual({
      ...{ ...KEPT, n: "3", e: { b: "1" } },
      h: { ...NAMED, b: "2", c: "4", d: "4" },
    });
    expect(await fieldsIn(2)).toEqual({
      ...{ n: "2", "i:1": "1", "k:stays": KEPT["k:stays"] },
      h: { ...NAMED, "": '"empty"', b: "1" },
    });
    expect((await stateAt(store, { n: 8 })).images.get("e")).toMatchObject({ end: 4_102_444_803_000 });
    const records = [];
    for await (const record of readHistory(store)) records.push(record);
    expect(records[2]).toMatchObject({ note: { fields: { h: { b: 7 } } }, fields: { h: { b: 2, "": null } } });
  });

  test("is restored from, gone on with, compacted and restored again", async () => {
    const { folder, store } = await golden("format-3");
    const state = on.open({ store, indexes: ["i:"], hashes: true });
    await state.ready();
    expect(await stateOf(on.outside)).toMatchObject(STATE_3);
    expect(await on.outside.pexpiretime("e")).toBe(-1);
    await state.occ.transact([], () => ({ result: null, set: { h: fields({ b: null, n: 5 }), n: 5 } }));
    await compact(store);
    expect((await verified(store)).damages).toEqual([]);
    const h = { ...NAMED, c: "4", n: "5" };
    expect(await replayed(on, folder, [], { hashes: true })).toEqual({ ...STATE_3, n: "5", h });
  });
});

test("what is written names its format: the store, each beginning, the snapshot", async () => {
  const { store } = await twoEpochs(on);
  await compact(store);
  const names = await readdir(store.folder);
  for (const name of ["store.json", "begin-00000001.json", "begin-00000002.json"])
    expect(JSON.parse(await readFile(join(store.folder, name), "utf8"))).toMatchObject({ format: 1 });
  const snapshot = names.find((name) => name.startsWith("snapshot")) ?? "";
  const lines = (await readFile(join(store.folder, snapshot), "utf8")).trimEnd().split("\n");
  for (const line of [lines[0], lines.at(-1)]) expect(JSON.parse(line ?? "")).toMatchObject({ format: 1 });
});

describe("an unknown format is refused before anything is claimed or truncated", () => {
  test.each(["4", '"1"', "0", "1.5", "null"])("of the store (%s)", async (format) => {
    const { folder } = await golden("format-1");
    const path = join(folder, "store.json");
    await writeFile(path, (await readFile(path, "utf8")).replace('"format":1', `"format":${format}`));
    expect(await outcome(openFileStore({ folder }))).toMatchObject({ code: "log_format", retryable: false });
    expect(await outcome(createFileStore(folder))).toBeInstanceOf(FormatError);
  });

  test.each(["begin-00000003.json", "begin-00000001.json", "snapshot-00000002-0000000000000006.jsonl"])(
    "of %s: nothing is restored, repaired, compacted or turned back",
    async (name) => {
      const { folder, store } = await golden("format-1");
      await writeFile(join(folder, "segment-00000003-00000000-1-1-torn-1.jsonl"), '{"epoch":3,"n":9,');
      const path = join(folder, name);
      await writeFile(path, (await readFile(path, "utf8")).replaceAll('"format":1', '"format":4'));
      const before = await readdir(folder, { recursive: true });
      const state = on.open({ store });
      for (const use of [
        () => state.ready(),
        () => state.occ.transact(["n"], add("n")),
        () => planRepair(store),
        () => compact(store),
        () => restoreTo({ store, moment: { n: 7 } }),
      ])
        expect(await outcome(use())).toMatchObject({
          code: "log_format",
          retryable: false,
          message: expect.stringContaining("is of format 4, and this version reads up to 3") as unknown,
        });
      expect(await readdir(folder, { recursive: true })).toEqual(before);
      expect(await on.outside.dbsize()).toBeLessThanOrEqual(1);
    },
  );
});
