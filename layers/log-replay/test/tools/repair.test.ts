import { readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { compact, openFileStore, stateAt } from "../../src/index.ts";
import { planRepair, repair } from "../../src/tools/index.ts";
import { add, replayed, stage } from "../support/stage.ts";
import { dropCommit, flipBit, oneWriter, segmentWith, twoEpochs, verified } from "./support.ts";

const on = stage();
const opened = (folder: string) => openFileStore({ folder });

test("nothing is to be done about a log that is well", async () => {
  const { store } = await twoEpochs(on);
  expect(await planRepair(store)).toEqual({
    damages: [],
    replace: [],
    claims: [],
    begins: new Map(),
    cut: null,
    torn: [],
    hopeless: [],
  });
});

test("a commit that only one segment had, spoilt: the history ends before it, and goes on", async () => {
  const { store, first, second } = await twoEpochs(on);
  await first.close();
  await second.close();
  const { name, line } = await flipBit(store.folder, 5);
  const plan = await planRepair(await opened(store.folder));
  expect(plan).toMatchObject({ replace: [{ name }], cut: { epoch: 2, n: 4, lost: 2 }, hopeless: [] });
  expect(plan.damages).toContainEqual(expect.objectContaining({ file: name, line }));
  const spoilt = await readFile(join(store.folder, name));

  const { copies, epoch } = await repair(await opened(store.folder), plan);
  expect(epoch).toBe(3);
  expect(await readFile(join(store.folder, copies[0]!.copy))).toEqual(spoilt);
  expect((await verified(store)).damages).toEqual([]);
  expect(await replayed(on, store.folder)).toEqual({ n: "13" });

  await on.outside.flushall();
  const state = on.open({ store: await opened(store.folder) });
  expect(await state.occ.transact(["n"], add("n"))).toBe(14);
});

test("a spoilt seal costs nothing: each record is intact by its own checksum", async () => {
  const store = await oneWriter(on);
  const { path, lines, line, name } = await segmentWith(store.folder, 5);
  lines[line - 1] = lines[line - 1]!.replace('"frame":{"lines":1', '"frame":{"lines":2');
  await writeFile(path, `${lines.join("\n")}\n`);
  expect((await verified(store)).damages.length).toBeGreaterThan(0);
  const plan = await planRepair(await opened(store.folder));
  expect(plan).toMatchObject({ replace: [{ name }], cut: null });
  await repair(await opened(store.folder), plan);
  expect(await verified(store)).toMatchObject({ damages: [], summary: { records: 6 } });
});

test("damage in the archive: the state does not need it, and nothing is cut", async () => {
  const store = await oneWriter(on);
  await compact(store);
  await flipBit(join(store.folder, "archive"), 2);
  const plan = await planRepair(store);
  expect(plan.damages.length).toBeGreaterThan(0);
  expect(plan).toMatchObject({ replace: [], cut: null, hopeless: [] });
});

test("a hole: the history ends before it, also where later epochs went on", async () => {
  const store = await oneWriter(on);
  await dropCommit(store.folder, 2);
  const plan = await planRepair(store);
  expect(plan).toMatchObject({ replace: [], cut: { epoch: 1, n: 1, lost: 5 } });
  await repair(await opened(store.folder), plan);
  const { damages, findings } = await verified(store);
  expect(damages).toEqual([]);
  expect(findings.map(({ what }) => what)).toContain("a later epoch passed over it: its 3 records do not count");
  expect((await stateAt(store)).images.get("n")?.image).toBe("1");
});

test("a lost beginning and a lost claim are told by what is around them", async () => {
  const { store } = await twoEpochs(on);
  for (const name of ["begin-00000001.json", "begin-00000002.json", "claim-00000001"])
    await rm(join(store.folder, name));
  const plan = await planRepair(store);
  expect(plan.begins).toEqual(
    new Map([
      [1, { parent: 0, cut: 0 }],
      [2, { parent: 1, cut: 3 }],
    ]),
  );
  await repair(await opened(store.folder), { ...plan });
  expect(await verified(store)).toMatchObject({ summary: { records: 6, epochs: 2 } });
});

test("a torn end is cut off with a copy kept only where its writer is gone", async () => {
  const { store } = await twoEpochs(on);
  const { path } = await segmentWith(store.folder, 6);
  await truncate(path, (await readFile(path)).length - 9);
  const plan = await planRepair(store);
  expect(plan).toMatchObject({ cut: null, replace: [], torn: [{}] });
  // Its writer is this process, which lives.
  expect(await repair(await opened(store.folder), plan)).toEqual({ copies: [], epoch: null });
  expect((await readdir(store.folder)).filter((name) => name.includes("torn"))).toEqual([]);
});

test("two versions of one commit: nobody can say which is true", async () => {
  const store = await on.store();
  await on.open({ store }).occ.transact(["n"], add("n"));
  const other = await on.store();
  await on.open({ store: other, url: (await on.ownRedis()).url }).occ.transact(["n"], add("n", 5));
  const { name, lines } = await segmentWith(other.folder, 1);
  await writeFile(join(store.folder, name), `${lines.join("\n")}\n`);
  const plan = await planRepair(store);
  expect(plan.hopeless).toHaveLength(1);
  await expect(repair(await opened(store.folder), plan)).rejects.toThrow("nobody can say which is true");
});
