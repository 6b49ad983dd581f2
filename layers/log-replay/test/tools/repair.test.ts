import { readFile, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { compact, openFileStore, stateAt } from "../../src/index.ts";
import { planRepair, repair } from "../../src/tools/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { append, begun, entry } from "../support/logs.ts";
import { add, outcome, replayed, segmentsIn, stage, until } from "../support/stage.ts";
import { claimOf, dropCommit, flipBit, oneWriter, segmentWith, tidied, twoEpochs, verified } from "./support.ts";

const on = stage();
const NOTHING = {
  damages: [],
  replace: [],
  claims: [],
  begins: new Map(),
  cut: null,
  torn: [],
  strays: [],
  hopeless: [],
};
const opened = (folder: string) => openFileStore({ folder });

test("nothing is to be done about a log that is well", async () => {
  const { store } = await twoEpochs(on);
  expect(await planRepair(store)).toEqual(NOTHING);
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

test("a repair beside a writer with nothing to do: the writer brings back what is whole of its segment, and no damage", async () => {
  const store = await oneWriter(on);
  const { name } = await flipBit(store.folder, 5);
  await repair(await opened(store.folder), await planRepair(store));
  const again = join(store.folder, name.replace("-1.jsonl", "-2.jsonl"));
  const numbers = async () => (await readFile(again, "utf8").catch(() => "")).match(/"n":\d+(?=,"at")/g);
  await until(async () => (await numbers()) !== null);
  expect(await numbers()).toEqual([`"n":4`, `"n":6`]);
  expect((await verified(store)).damages).toEqual([]);
  await on.outside.flushall();
  expect(await on.open({ store }).occ.read(["n"])).toEqual([13]);
});

test("a repair beside a writer: what it appends between the reading and the setting aside is in the log, also where it dies then", async () => {
  const { folder } = await on.store();
  const store = await opened(folder);
  await begun(store, 1);
  const writer = store.createSegment(1);
  await writer.append(encodeFrame([entry(1, 1, { n: 1 })]));
  await writer.append(encodeFrame([entry(1, 2, { n: 2 })]));
  await append(store, 1, [entry(1, 1, { n: 1 })]);
  const [name = ""] = (await store.segments(1)).filter(({ bytes }) => bytes === writer.size).map((each) => each.name);
  const path = join(folder, name);
  await writeFile(path, (await readFile(path, "utf8")).replace('"n":1}', '"n":9}'));

  const setAside = store.setAside.bind(store);
  store.setAside = async (segment) => {
    await writer.append(encodeFrame([entry(1, 3, { n: 3 })]));
    return setAside(segment);
  };
  const plan = await planRepair(store);
  expect(plan).toMatchObject({ cut: null, replace: [{ name }] });
  await repair(store, plan);
  expect((await stateAt(await opened(folder))).position?.n).toBe(3);
  expect((await verified(store)).damages).toEqual([]);
  await writer.close();
});

test("a spoilt trailer costs nothing: each record is intact by its own checksum", async () => {
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

test("a segment that has lost its name is named; once it has it back, nothing is missing", async () => {
  const store = await oneWriter(on);
  const { path, name } = await segmentWith(store.folder, 3);
  await rename(path, `${path}.bak`);
  expect(await planRepair(store)).toMatchObject({
    cut: { epoch: 1, n: 0, lost: 6 },
    strays: [{ file: `${name}.bak`, what: expect.stringContaining("rename it back") as unknown }],
  });
  await rename(`${path}.bak`, path);
  expect(await planRepair(store)).toEqual(NOTHING);
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

test("a recovery that had not seen where a repair ends the history may go on from elsewhere: the repair does not say that it is done", async () => {
  const store = await oneWriter(on);
  await dropCommit(store.folder, 2);
  const repairable = await opened(store.folder);
  const { writeBegin } = repairable;
  repairable.writeBegin = async (epoch, begin) => {
    await store.claim(epoch + 1);
    return writeBegin.call(repairable, epoch, begin);
  };
  expect(await outcome(repair(repairable, await planRepair(store)))).toMatchObject({ code: "log_gone" });
  // This one has not begun: what was begun holds, and there is nothing more to do.
  expect(await planRepair(await opened(store.folder))).toEqual(NOTHING);
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

test("epochs that were tidied away stay so: a process on a former server answers nothing of theirs after a repair", async () => {
  const { folder, former, state } = await tidied(on);
  const store = await opened(folder);
  // Records that turn up in them change nothing.
  for (const epoch of [5, 21]) await append(store, epoch, [entry(epoch, 2, { n: 9 })]);
  const plan = await planRepair(store);
  expect(plan).toEqual(NOTHING);
  // A plan from before they were tidied away, when a claim was lost among them.
  await repair(store, { ...plan, claims: [5] });
  expect(await store.claims()).toEqual([21, 22]);
  expect([...(await store.begins()).keys()]).toEqual([1, 22]);
  await expect(store.isSealed(1)).rejects.toMatchObject({ code: "log_unavailable" });
  expect(await outcome(former.occ.read(["n"]))).not.toEqual([1]);
  // It restores its server first, in an epoch of its own.
  expect(await former.occ.transact(["n"], add("n"))).toBe(102);
  expect(await state.occ.read(["n"])).toEqual([102]);
});

test("lost claims are made again from the highest one down, so none is there without the next one", async () => {
  const { store } = await twoEpochs(on);
  for (let epoch = 3; epoch <= 7; epoch++) await store.claim(epoch);
  for (const epoch of [1, 3, 4, 6]) await rm(join(store.folder, claimOf(epoch)));
  const repairable = await opened(store.folder);
  const plan = await planRepair(repairable);
  expect(plan.claims).toEqual([3, 4, 6]);
  const made: number[] = [];
  const { claim } = repairable;
  repairable.claim = (epoch) => {
    made.push(epoch);
    return claim.call(repairable, epoch);
  };
  await repair(repairable, plan);
  expect(made).toEqual([6, 4, 3]);
  expect(await store.claims()).toEqual([2, 3, 4, 5, 6, 7]);
  expect((await verified(store)).damages).toEqual([]);
});

test("where no claim is left at all, each is made again", async () => {
  const { store } = await twoEpochs(on);
  for (const epoch of [1, 2]) await rm(join(store.folder, claimOf(epoch)));
  const plan = await planRepair(store);
  expect(plan.claims).toEqual([1, 2]);
  await repair(await opened(store.folder), plan);
  expect([await store.isSealed(1), await store.isSealed(2)]).toEqual([true, false]);
});

test("a segment with a torn end is truncated, with a copy kept, only where its writer is gone", async () => {
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

describe("at the end of the log", () => {
  /** Six commits of one key in one segment: frames of one, two and three. */
  async function sixCommits() {
    const store = await on.store();
    await begun(store, 1);
    const one = (n: number) => entry(1, n, { n });
    await append(store, 1, [one(1)], [one(2), one(3)], [one(4), one(5), one(6)]);
    const [name = ""] = await segmentsIn(store.folder);
    return { store, path: join(store.folder, name) };
  }

  const change = async (path: string, by: (text: string) => string | Buffer): Promise<void> =>
    writeFile(path, by(await readFile(path, "utf8")));
  const spoil = (text: string, n: number): string => text.replace(`"n":${n},"at":"1970`, `"n":${n},"at":"1971`);

  /** Repairs, and gives what is left: the last commit, and the value that it set. */
  async function repaired(folder: string): Promise<unknown> {
    const store = await opened(folder);
    await repair(store, await planRepair(store));
    expect((await verified(store)).damages).toEqual([]);
    const { position, images } = await stateAt(store);
    expect(images.get("n")?.image ?? "0").toBe(String(position?.n ?? 0));
    return position?.n ?? 0;
  }

  test.each([
    ["carriage returns", (text: string) => text.replaceAll("\n", "\r\n")],
    ["carriage returns for line ends", (text: string) => text.replaceAll("\n", "\r")],
    ["a byte order mark", (text: string) => `\uFEFF${text}`],
    ["both, and empty lines", (text: string) => `\uFEFF${text.replaceAll("\n", "\r\n\r\n")}`],
    ["the order of the lines turned round", (text: string) => `${text.trimEnd().split("\n").reverse().join("\n")}\n`],
  ])("%s: damage, and nothing is lost", async (_, decorate) => {
    const { store, path } = await sixCommits();
    await change(path, decorate);
    expect((await verified(store)).damages.length).toBeGreaterThan(0);
    expect(await planRepair(store)).toMatchObject({ cut: null, hopeless: [], replace: [{}] });
    expect(await repaired(store.folder)).toBe(6);
  });

  test("what an editor did is told as that", async () => {
    const { store, path } = await sixCommits();
    await change(path, (text) => text.replaceAll("\n", "\r\n"));
    expect((await verified(store)).damages[0]).toContain("a record that is whole but for what an editor put around it");
  });

  test.each([
    [[6], 5, 1],
    [[5, 6], 4, 2],
    [[5], 4, 2],
    [[1, 2, 3, 4, 5, 6], 0, 6],
  ])(
    "commits %j are spoilt: the history ends with %i, and %i are counted, which may have been answered for",
    async (spoilt, n, lost) => {
      const { store, path } = await sixCommits();
      await change(path, (text) => spoilt.reduce(spoil, text));
      const { damages } = await verified(store);
      expect(damages.some((damage) => damage.includes("may have been answered for"))).toBe(true);
      expect(damages.some((damage) => damage.includes("torn"))).toBe(false);
      expect(await planRepair(store)).toMatchObject({ cut: { epoch: 1, n, lost }, hopeless: [] });
      expect(await repaired(store.folder)).toBe(n);
      // A new epoch: what Redis still has behind the end does not come back, and is not written behind.
      expect((await store.begins()).get(2)).toEqual({ parent: 1, cut: n });
    },
  );

  test("a line of which nothing is left counts as well", async () => {
    const { store, path } = await sixCommits();
    await change(path, (text) => text.replace(/[^\n]+\n$/, "garbage\n"));
    expect(await planRepair(store)).toMatchObject({ cut: { n: 5, lost: 1 } });
  });

  test("a torn end is told as torn, and counts for nothing: nobody was answered", async () => {
    const { store, path } = await sixCommits();
    const whole = await readFile(path, "utf8");
    await writeFile(path, whole.slice(0, -20));
    const { findings, damages } = await verified(store);
    expect(damages).toEqual([]);
    expect(findings.map(({ what }) => what)).toEqual([expect.stringContaining("torn")]);
    expect(await planRepair(store)).toMatchObject({ cut: null, torn: [{}] });
    // Damage elsewhere in the file, for which it is replaced: what is torn is still nobody's loss.
    await writeFile(path, spoil(whole.slice(0, -20), 1));
    expect(await planRepair(store)).toMatchObject({ cut: { n: 0, lost: 5 } });
  });

  test("a commit that another segment has is not lost", async () => {
    const { store, path } = await sixCommits();
    await append(store, 1, [entry(1, 6, { n: 6 })]);
    await change(path, (text) => spoil(text, 6));
    expect(await planRepair(store)).toMatchObject({ cut: null, replace: [{}] });
    expect(await repaired(store.folder)).toBe(6);
  });

  test("any bits flipped anywhere: what is left is a prefix, and whatever is missing was counted", async () => {
    for (let round = 0; round < 60; round++) {
      const { store, path } = await sixCommits();
      const bytes = await readFile(path);
      const flips = Array.from(
        { length: 1 + (round % 4) },
        (_, i) => (round * 7919 + i * 104_729) % (bytes.length * 8),
      );
      for (const bit of flips) bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      await writeFile(path, bytes);
      const { cut } = await planRepair(store);
      const left = (await repaired(store.folder)) as number;
      // A line end that is spoilt makes one line of two; then the second one cannot be told from the first.
      expect([round, left + (cut?.lost ?? 0) >= 5]).toEqual([round, true]);
      if (left < 6) expect([round, cut?.lost ?? 0]).not.toEqual([round, 0]);
    }
  });
});
