import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  compact,
  createFileStore,
  LogDamageError,
  openFileStore,
  readHistory,
  stateAt,
  type LogStore,
  type Snapshot,
} from "../../src/index.ts";
import { surveyHistory } from "../../src/recover/survey.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";

async function inStore(work: (store: LogStore, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "snapshots-"));
  try {
    await createFileStore(folder);
    await work(await openFileStore({ folder }), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const key = fc.constantFrom("a", "b", 'é "\\', "__proto__x", "item:1");
const set = fc.dictionary(key, fc.option(fc.jsonValue().filter((value) => value !== null)), { minKeys: 1 });
/** Around the times of the commits, which are a second apart from 1970 on; an hour before, which is long ago; and far ahead. */
const end = fc.oneof(
  fc.integer({ min: -2, max: 40 }).map((seconds) => 1_000 * seconds),
  fc.integer({ min: -2, max: 40 }).map((seconds) => 1_000 * seconds - 3_600_000),
  fc.constant(4_102_444_800_000),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("commit" as const), set, ends: fc.dictionary(key, end) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("epoch" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("compact" as const), memory: fc.constantFrom(1, 300, 1_000_000) }),
  },
);

test("whatever is compacted when, a snapshot and the rest give the state of the whole history, now and at each commit before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), (steps) =>
      inStore(async (store) => {
        let [epoch, n] = [1, 0];
        let committed = 1;
        await begun(store, epoch);
        // By number: what each key holds and until when.
        const expected: ReadonlyMap<string, { readonly text: string; readonly until: number }>[] = [new Map()];
        const textsAt = (at: number, time: number): Record<string, string> =>
          Object.fromEntries(
            [...(expected[at] ?? [])].flatMap(([name, { text, until }]) => (until > time ? [[name, text]] : [])),
          );
        for (const one of steps) {
          if (one.kind === "compact") await compact(store, one);
          if (one.kind === "epoch") await begun(store, ++epoch, { parent: epoch - 1, cut: n });
          if (one.kind !== "commit") continue;
          const ends = Object.fromEntries(
            Object.entries(one.ends).filter(([name]) => (one.set[name] ?? null) !== null),
          );
          const state = new Map(expected[n]);
          for (const [name, value] of Object.entries(one.set)) {
            if (value === null) state.delete(name);
            else state.set(name, { text: JSON.stringify(value), until: ends[name] ?? Infinity });
          }
          expected.push(state);
          await append(store, epoch, [entry(epoch, ++n, one.set, ends)]);
          committed = epoch;
        }
        await compact(store);
        expect(textOf(await stateAt(store))).toEqual(textsAt(n, Date.now()));
        for (const at of [0, Math.floor(n / 2), n]) {
          expect(textOf(await stateAt(store, { n: at }))).toEqual(textsAt(at, 1_000 * at));
          expect(textOf(await stateAt(store, { at: 1_000 * at + 1 }))).toEqual(textsAt(at, 1_000 * at + 1));
        }
        const numbers: number[] = [];
        for await (const record of readHistory(store, { from: 3 })) numbers.push(record.n);
        expect(numbers).toEqual(Array.from({ length: Math.max(0, n - 2) }, (_, i) => i + 3));
        // The next epoch goes on after the last one that has a commit.
        expect(await surveyHistory(store, () => Promise.resolve())).toMatchObject({ parent: committed, cut: n });
      }),
    ),
    { numRuns: 40 },
  );
}, 120_000);

test("a snapshot that is spoilt, cut short, or not the one that its name says is damage that names it", async () => {
  await inStore(async (store, folder) => {
    await begun(store, 1);
    await append(
      store,
      1,
      ...Array.from({ length: 20 }, (_, i) => [entry(1, i + 1, { [`k:${i}`]: "x".repeat(10_000) })]),
    );
    await compact(store);
    const path = join(folder, ((await store.snapshot()) as Snapshot).name);
    const whole = await readFile(path, "utf8");
    const lines = whole.split("\n");
    const spoilt = {
      "a flipped letter": whole.replace("k:7", "k:8"),
      "without its last line": `${lines.slice(0, -2).join("\n")}\n`,
      "cut in its last line": whole.slice(0, -20),
      "cut in the middle": whole.slice(0, whole.length / 2),
      empty: "",
      "without its first frame": lines.slice(lines.findIndex((line) => line.includes('"frame"')) + 1).join("\n"),
      "with something behind it": `${whole}${lines.at(-2)}\n`,
    };
    for (const [what, text] of Object.entries(spoilt)) {
      await writeFile(path, text);
      const error = await surveyHistory(store, () => Promise.resolve()).catch((thrown: unknown) => thrown);
      expect([what, error]).toEqual([what, expect.any(LogDamageError)]);
      expect((error as Error).message).toMatch(/^snapshot-00000001-0000000000000020\.jsonl/);
    }
    await writeFile(path, whole);
    await writeFile(join(folder, "snapshot-00000001-0000000000000021.jsonl"), whole);
    await expect(surveyHistory(store, () => Promise.resolve())).rejects.toThrow("the snapshot of commit 20 of epoch 1");
    await writeFile(join(folder, "snapshot-00000009-0000000000000022.jsonl"), whole);
    await expect(surveyHistory(store, () => Promise.resolve())).rejects.toThrow(LogDamageError);
  });
});
