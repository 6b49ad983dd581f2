import { describe, expect, test } from "@jest/globals";
import { compact, createFileStore, openFileStore, readHistory, stateAt, type LogStore } from "../../src/index.ts";
import { copyLog } from "../../src/tools/index.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";
import { add, replayed, stage, until } from "../support/stage.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";
import { twoEpochs, verified } from "./support.ts";

const on = stage();

/** A copy in a folder of its own, with the identity of its source. */
async function copied(store: LogStore) {
  const folders: string[] = [];
  const result = await copyLog(store, async () => {
    const folder = await on.folder();
    folders.push(folder);
    await createFileStore(folder, store.id);
    return openFileStore({ folder });
  });
  const folder = folders.at(-1) ?? "";
  return { ...result, attempts: folders.length, folder, copy: await openFileStore({ folder }) };
}

const history = async (store: LogStore) => {
  const records = [];
  for await (const { crc: _crc, frame: _frame, ...record } of readHistory(store)) records.push(record);
  return records;
};

test("a copy has the identity, every commit, the epochs and the state; and can be gone on with", async () => {
  const { store } = await twoEpochs(on);
  const { copy, folder, position } = await copied(store);
  expect(position).toEqual({ epoch: 2, n: 6 });
  expect(copy.id).toBe(store.id);
  expect(await history(copy)).toEqual(await history(store));
  expect(await copy.begins()).toEqual(await store.begins());
  expect(await verified(copy)).toMatchObject({ findings: [], summary: { records: 6, epochs: 2 } });
  expect(await replayed(on, folder)).toEqual(textOf(await stateAt(store)));
});

test("snapshot and archive are copied too; without the archive the state is, and it is told what is missing", async () => {
  const { store, first } = await twoEpochs(on);
  await compact(store);
  await first.occ.transact(["n"], add("n", 5));
  const whole = await copied(store);
  expect(whole.archiveDamage).toBeNull();
  expect(await history(whole.copy)).toEqual(await history(store));
  expect((await whole.copy.snapshot())?.n).toBe((await store.snapshot())?.n);
  expect(await verified(whole.copy)).toMatchObject({ findings: [] });
  const partly = await copied({ ...tampered(store, {}), archived: () => Promise.resolve([]) });
  expect(partly.archiveDamage).toMatchObject({ code: "log_damaged" });
  expect(await replayed(on, partly.folder)).toEqual(textOf(await stateAt(store)));
});

test("a log without a commit, and one of which the last epoch was claimed and never begun", async () => {
  expect(await copied(await on.store())).toMatchObject({ position: null });
  const { store } = await twoEpochs(on);
  await store.claim(3);
  const { copy, position } = await copied(store);
  expect(position).toEqual({ epoch: 2, n: 6 });
  expect(await copy.claims()).toEqual([1, 2]);
});

test("a commit that a recovery has cut off meanwhile is not in the copy", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(store, 1, [entry(1, 1, { n: 1 })], [entry(1, 2, { n: 2 })]);
  let looks = 0;
  const late: Tampering = {
    async afterBegins() {
      if (looks++ > 0) return;
      await begun(store, 2, { parent: 1, cut: 2 });
      await append(store, 1, [entry(1, 3, { n: "late" })]);
      await append(store, 2, [entry(2, 3, { n: 3 })]);
    },
  };
  const { copy } = await copied(tampered(store, late));
  expect(textOf(await stateAt(copy))).toEqual({ n: "2" });
  expect((await verified(copy)).damages).toEqual([]);
});

test("a recovery that claims while the last epoch is read: the copy waits for what it comes to, and begins anew", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(store, 1, [entry(1, 1, { n: 1 })], [entry(1, 2, { n: 2 })]);
  const reading: Tampering = {};
  const stop = door();
  reading.beforeRead = stop.reach;
  const copying = copied(tampered(store, reading));
  await stop.reached;
  await store.claim(2);
  await store.writeBegin(2, { parent: 1, cut: 1 });
  stop.open();
  const { copy, attempts } = await copying;
  expect(attempts).toBe(2);
  expect(textOf(await stateAt(copy))).toEqual({ n: "1" });
});

describe("while others work", () => {
  test("three processes that write, restores and compactions beside it: each copy is a beginning of the history, with all that was answered before", async () => {
    const store = await on.store();
    const states = await Promise.all([1, 2, 3].map(async () => on.open({ store: await on.store(store.folder) })));
    let running = true;
    let answered = 0;
    const write = async (i: number): Promise<void> => {
      const state = states[i % 3] as (typeof states)[number];
      for (let k = 0; running; k++) {
        await state.occ.transact(["n", `k:${k % 50}`], (view) => ({
          result: null,
          set: { n: (view.get<number>("n") ?? 0) + 1, [`k:${k % 50}`]: "x".repeat(200) },
        }));
        answered++;
      }
    };
    const disturb = async (): Promise<void> => {
      for (let k = 0; running; k++) {
        await compact(await on.store(store.folder), { memory: k % 2 === 0 ? 20_000 : 10_000_000 });
        if (k % 3 === 0) await on.outside.flushall();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    const load = Promise.all([...Array.from({ length: 12 }, (_, i) => write(i)), disturb()]);
    const copies = [];
    try {
      for (let round = 0; round < 6; round++) {
        await until(() => answered > 60 * round, 20_000);
        const before = answered;
        copies.push({ before, ...(await copied(await on.store(store.folder))) });
      }
    } finally {
      running = false;
    }
    await load;
    const all = await history(store);
    for (const { before, copy, folder, position } of copies) {
      expect((await verified(copy)).damages).toEqual([]);
      const records = await history(copy);
      expect(records).toEqual(all.slice(0, records.length));
      expect(position?.n).toBe(records.length);
      const state = textOf(await stateAt(copy));
      expect(Number(state["n"])).toBeGreaterThanOrEqual(before);
      if (copy === copies.at(-1)?.copy) expect(await replayed(on, folder)).toEqual(state);
    }
  }, 120_000);
});
