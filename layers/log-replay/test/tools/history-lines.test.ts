import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { compact } from "../../src/index.ts";
import { followHistory, parseRecord, historyLines, type Followed } from "../../src/tools/index.ts";
import { tampered } from "../support/tampered-store.ts";
import { add, records, segmentsIn, stage, until, waits } from "../support/stage.ts";
import { segmentWith, twoEpochs } from "./support.ts";

const on = stage();

test("the history of two writers and two epochs comes in the order of its commits, each once, with its place", async () => {
  const { store } = await twoEpochs(on);
  const read = [];
  for await (const { epoch, n, line, file, number } of historyLines(store)) {
    const lines = (await readFile(join(store.folder, file), "utf8")).split("\n");
    expect(lines[number - 1]).toBe(line.toString());
    read.push({ epoch, n });
  }
  expect(read.map(({ epoch, n }) => `${epoch}:${n}`)).toEqual(["1:1", "1:2", "1:3", "2:4", "2:5", "2:6"]);
  expect(read).toEqual((await records(store.folder)).map(({ epoch, n }) => ({ epoch, n })));
});

test("after a commit: only those that follow it", async () => {
  const { store } = await twoEpochs(on);
  const numbers = [];
  for await (const { n } of historyLines(store, { after: 2 })) numbers.push(n);
  expect(numbers).toEqual([3, 4, 5, 6]);
});

test("a torn end is passed over, and told", async () => {
  const { store } = await twoEpochs(on);
  const name = (await segmentsIn(store.folder)).sort().at(-1)!;
  const file = await open(join(store.folder, name), "a");
  await file.write('{"epoch":2,"n":7,"at":"2026');
  await file.close();
  const torn: string[] = [];
  const numbers = [];
  for await (const { n } of historyLines(store, { onTorn: (segment) => torn.push(segment.name) })) numbers.push(n);
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
  expect(new Set(torn)).toEqual(new Set([name]));
});

test("a history that is being written by two processes has no hole at any moment", async () => {
  const { store, first, second } = await twoEpochs(on);
  const load = Promise.all(
    [first, second].map(async (state) => {
      for (let i = 0; i < 150; i++) await state.occ.transact(["k"], add("k"));
    }),
  );
  for (let rounds = 0; rounds < 3 || (await waits(load, 0)); rounds++) {
    let expected = 1;
    for await (const { n } of historyLines(store)) expect(n).toBe(expected++);
  }
});

test("what is appended to one segment after it was looked at, and then to the next before that is, leaves no hole", async () => {
  const { store, first, second } = await twoEpochs(on);
  const names = (await store.segments(2)).map(({ name }) => name);
  await first.occ.transact(["n"], add("n"));
  const { name: ofFirst } = await segmentWith(store.folder, 7);
  const [early, late] = ofFirst === names[0] ? [first, second] : [second, first];
  let last = 7;
  let looks = 0;
  const reading = historyLines(
    tampered(store, {
      async beforeRead({ name }) {
        if (name !== names[1] || ++looks > 4) return;
        // The second commit of a process trims the first one off the tail, so the other process does not append that.
        for (const state of [early, early, late]) await state.occ.transact(["n"], add("n"));
        last += 3;
      },
    }),
  );
  const numbers = [];
  for await (const { n } of reading) numbers.push(n);
  expect(looks).toBeGreaterThan(4);
  expect(numbers).toEqual(Array.from({ length: last }, (_, i) => i + 1));
});

test("a history whose beginning is compacted is read from the archive, also while it is being archived", async () => {
  const { store, first } = await twoEpochs(on);
  const reading = historyLines(store);
  const begun = await reading.next();
  const numbers = begun.done === true ? [] : [begun.value.n];
  expect((await compact(store)).archived).toBeGreaterThan(0);
  for await (const { n } of reading) numbers.push(n);
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
  await first.occ.transact(["n"], add("n"));
  const again = [];
  for await (const { n } of historyLines(store)) again.push(n);
  expect(again).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("who follows sees what is appended, over new segments and a new epoch, each commit once", async () => {
  const { store, first, second } = await twoEpochs(on);
  const seen: string[] = [];
  const end = new AbortController();
  const following = (async () => {
    for await (const step of followHistory(store, { after: 4, pause: 5, signal: end.signal }))
      seen.push(described(step));
  })();
  await until(() => seen.length === 2);
  const third = on.open({ store: await on.store(store.folder) });
  await third.occ.transact(["n"], add("n"));
  await until(() => seen.length === 3);
  await on.outside.flushall();
  await first.occ.transact(["n"], add("n"));
  await second.occ.transact(["n"], add("n"));
  await until(() => seen.length === 6);
  end.abort();
  await following;
  expect(seen).toEqual(["2:5", "2:6", "2:7", "epoch 3 from 7, 0 dropped", "3:8", "3:9"]);
});

function described(step: Followed): string {
  if (!("record" in step)) return `epoch ${step.began} from ${step.cut}, ${step.dropped} dropped`;
  const { epoch, n } = parseRecord(step.record.line, step.record.file);
  return `${epoch}:${n}`;
}
