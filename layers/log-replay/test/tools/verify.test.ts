import { open, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { compact, openFileStore } from "../../src/index.ts";
import { append, entry } from "../support/logs.ts";
import { add, segmentsIn, stage } from "../support/stage.ts";
import { claimOf, dropCommit, flipBit, oneWriter, segmentWith, tidied, twoEpochs, verified } from "./support.ts";

const on = stage();

test("nothing is wrong with a log of two epochs and two writers", async () => {
  const { store } = await twoEpochs(on);
  expect(await verified(store)).toEqual({ findings: [], damages: [], summary: { records: 6, epochs: 2, damages: 0 } });
});

test("what is archived is verified too, and damage in it is told with its place in the archive", async () => {
  const { store } = await twoEpochs(on);
  await compact(store);
  expect(await verified(store)).toMatchObject({ damages: [], summary: { records: 6 } });
  const { name, line } = await flipBit(join(store.folder, "archive"), 2);
  expect((await verified(store)).damages).toContainEqual(
    expect.stringContaining(`archive/${name}:${line}: a bad checksum`),
  );
});

test("a damaged snapshot is told", async () => {
  const { store } = await twoEpochs(on);
  const { snapshot } = await compact(store);
  const path = join(store.folder, snapshot!.name);
  await writeFile(path, (await readFile(path, "utf8")).replace('"m":"x"', '"m":"y"'));
  expect((await verified(store)).damages).toContainEqual(
    expect.stringContaining(`${snapshot!.name}:2: a bad checksum`),
  );
});

test("every flipped bit is told with file and line, not only the first", async () => {
  const { store } = await twoEpochs(on);
  const third = await flipBit(store.folder, 3);
  const fifth = await flipBit(store.folder, 5);
  const { damages } = await verified(store);
  for (const { name, line } of [third, fifth])
    expect(damages.some((damage) => damage.startsWith(`${name}:${line}: a bad checksum`))).toBe(true);
});

test("two flipped bits in one segment are two lines of findings", async () => {
  const store = await on.store();
  const state = on.open({ store });
  for (let i = 0; i < 6; i++) await state.occ.transact(["n"], add("n"));
  await flipBit(store.folder, 2);
  await flipBit(store.folder, 4);
  const [name] = await segmentsIn(store.folder);
  expect((await verified(store)).damages).toEqual([
    `${name}:2: a bad checksum in the middle of the log`,
    "epoch 1:0: commit 2 is missing, and the log goes on to commit 3",
    `${name}:4: a bad checksum in the middle of the log`,
    "epoch 1:0: commit 4 is missing, and the log goes on to commit 5",
  ]);
});

test("a torn end is a note: it is what a crash leaves", async () => {
  const { store } = await twoEpochs(on);
  const { path, name } = await segmentWith(store.folder, 6);
  const bytes = await readFile(path);
  await truncate(path, bytes.length - 9);
  const { findings, summary } = await verified(store);
  expect(summary).toMatchObject({ records: 5, damages: 0 });
  expect(findings).toMatchObject([{ kind: "note", file: name, what: expect.stringContaining("torn") as unknown }]);
});

test("what is missing is named by its commits", async () => {
  const store = await oneWriter(on);
  for (const n of [1, 2, 5]) await dropCommit(store.folder, n);
  expect((await verified(store)).damages).toEqual([
    "epoch 1:0: commits 1 to 2 are missing, and the log goes on to commit 3",
    "epoch 2:0: commit 5 is missing, and the log goes on to commit 6",
  ]);
});

test("a segment that is gone is a hole at the end of its epoch", async () => {
  const store = await oneWriter(on);
  await rm((await segmentWith(store.folder, 3)).path);
  expect((await verified(store)).damages).toEqual([
    "epoch 1:0: commits 1 to 3 are missing, and a later epoch goes on from there",
  ]);
});

test("a file of no known kind is named as a note: it may be the segment whose commits are missing", async () => {
  const store = await oneWriter(on);
  const { path, name } = await segmentWith(store.folder, 3);
  await rename(path, `${path}.bak`);
  await writeFile(join(store.folder, "notes.txt"), "");
  const { findings, damages } = await verified(store);
  expect(damages).toEqual(["epoch 1:0: commits 1 to 3 are missing, and a later epoch goes on from there"]);
  expect(findings.filter(({ kind }) => kind === "note")).toEqual([
    { kind: "note", file: "notes.txt", line: 0, what: "a file of no known kind, which is not read" },
    {
      kind: "note",
      file: `${name}.bak`,
      line: 0,
      what: "it is not read, because it has lost its name: rename it back before a repair, which may end the history where its commits are missing",
    },
  ]);
});

test("a lost and an unreadable beginning", async () => {
  const { store } = await twoEpochs(on);
  const begin = join(store.folder, "begin-00000001.json");
  await writeFile(begin, "{");
  const again = (): ReturnType<typeof openFileStore> => openFileStore({ folder: store.folder });
  expect((await verified(await again())).damages[0]).toBe(`${begin}:1: does not say how the epoch begins`);
  await rm(begin);
  expect((await verified(await again())).damages).toContain(
    "begin:0: the chain of epochs below 2 is broken: a beginning is lost, or refers to one that is",
  );
});

test("a lost claim", async () => {
  const { store } = await twoEpochs(on);
  await rm(join(store.folder, "claim-00000002"));
  expect((await verified(store)).damages).toEqual(["epoch 2:0: it has begun, and its claim is gone"]);
});

test("a claim that is lost between others, also of an epoch that never began: the one before it would count as going on", async () => {
  const { store } = await twoEpochs(on);
  await store.claim(3);
  await store.claim(4);
  await rm(join(store.folder, claimOf(3)));
  expect((await verified(store)).damages).toEqual(["epoch 3:0: its claim is gone, and later ones are there"]);
});

test("what a list of claims lacks because others claim, or tidy up, while it is read is not lost", async () => {
  const { folder } = await tidied(on);
  const store = await openFileStore({ folder });
  const { claims } = store;
  for (const first of [
    [3, 5, 21, 22],
    [20, 22],
  ]) {
    const lists = [first, first];
    store.claims = async () => lists.shift() ?? claims.call(store);
    expect((await verified(store)).damages).toEqual([]);
  }
});

test("a log whose idle epochs were tidied away is well, also where a record turns up in one of them later", async () => {
  const { folder } = await tidied(on);
  const store = await openFileStore({ folder });
  expect(await verified(store)).toMatchObject({ findings: [], summary: { records: 2, epochs: 2 } });
  for (const epoch of [5, 21]) await append(store, epoch, [entry(epoch, 2, { n: 9 })]);
  const { findings, damages } = await verified(store);
  expect(damages).toEqual([]);
  expect(findings.map(({ what }) => what)).toEqual(["a later epoch passed over it: its 1 records do not count"]);
});

test("two segments that disagree about a commit: both places", async () => {
  const store = await on.store();
  const state = on.open({ store });
  await state.occ.transact(["n"], add("n"));
  const other = await on.store();
  const foreign = on.open({ store: other, url: (await on.ownRedis()).url });
  await foreign.occ.transact(["n"], add("n", 5));
  const { name, lines } = await segmentWith(other.folder, 1);
  await writeFile(join(store.folder, name), `${lines.join("\n")}\n`);
  const { damages } = await verified(store);
  expect(damages).toHaveLength(1);
  expect(damages[0]).toMatch(/^segment-.*:1: commit 1 of epoch 1 differs from the one at segment-.*:1$/);
});

test("a commit of a sealed epoch that came too late is a note", async () => {
  const { store } = await twoEpochs(on);
  // The same bytes as its writer would have sent: commit 4 of epoch 1.
  const { encodeFrame } = await import("../../src/format/frame.ts");
  const late = await open(join(store.folder, "segment-00000001-0-0-0-0-1.jsonl"), "w");
  await late.write(
    encodeFrame([{ epoch: 1, n: 4, body: '"at":"2026-01-01T00:00:00.000Z","tx":"late-1","set":{"n":0}' }]),
  );
  await late.close();
  const { findings } = await verified(await openFileStore({ folder: store.folder }));
  expect(findings).toMatchObject([
    { kind: "note", what: "1 commits above 3, where a later epoch goes on from, came too late and do not count" },
  ]);
});

test("a broken law names the record's file and line", async () => {
  const { store } = await twoEpochs(on);
  const { name, line } = await segmentWith(store.folder, 5);
  const { damages } = await verified(store, ({ n, set }, before) =>
    n === 5 ? [`n went from ${String(before("n"))} to ${String(set["n"])}`] : [],
  );
  expect(damages).toEqual([`${name}:${line}: n went from 13 to 23`]);
});
