import { readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { LogDamageError, type LogStore } from "../../src/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { listener, outcome, segmentsIn, stage } from "../support/stage.ts";
import { append, entry } from "../support/logs.ts";

const on = stage();

describe("damage stops the restore, names its place, and leaves Redis alone", () => {
  /** Epoch 1 with commits 1 to 6 in three frames; epoch 2 goes on from 6 with 7 and 8. */
  async function twoEpochs() {
    const store = await on.store();
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    await append(
      store,
      1,
      [entry(1, 1, { n: 1 }), entry(1, 2, { n: 2 })],
      [entry(1, 3, { n: 3 })],
      [entry(1, 4, { n: 4 }), entry(1, 5, { n: 5 }), entry(1, 6, { n: 6 })],
    );
    await store.claim(2);
    await store.writeBegin(2, { parent: 1, cut: 6 });
    await append(store, 2, [entry(2, 7, { n: 7 })], [entry(2, 8, { n: 8 })]);
    return store;
  }

  async function damage(store: LogStore): Promise<LogDamageError> {
    const events = listener();
    const error = await outcome(on.open({ store, onEvent: events.onEvent }).ready());
    expect(error).toBeInstanceOf(LogDamageError);
    expect(error).toMatchObject({ retryable: false, code: "log_damaged" });
    expect(events.count("restored")).toBe(0);
    expect(await on.outside.keys("*")).toEqual([]);
    return error as LogDamageError;
  }

  test("without damage the last commit counts", async () => {
    const store = await twoEpochs();
    expect(await on.open({ store }).occ.read(["n"])).toEqual([8]);
  });

  test("a spoilt byte: file and line", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    const path = join(store.folder, name as string);
    await writeFile(path, (await readFile(path, "utf8")).replace('{"n":3}', '{"n":9}'));
    expect((await damage(store)).message).toMatch(`${name}:3: a bad checksum`);
  });

  test("a hole below a cut: the commit that is missing", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    const path = join(store.folder, name as string);
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, [...lines.slice(0, 2), ...lines.slice(3)].join("\n"));
    expect((await damage(store)).message).toBe("epoch 1: commit 3 is missing, and the log goes on to commit 6");
  });

  test("a segment of a sealed epoch is gone", async () => {
    const store = await twoEpochs();
    const [name] = (await segmentsIn(store.folder)).sort();
    await unlink(join(store.folder, name as string));
    expect((await damage(store)).message).toBe("epoch 1: commit 1 is missing, and the log goes on to commit 6");
  });

  test("a segment of the last epoch is gone that another one goes on from: no crash leaves that", async () => {
    const store = await twoEpochs();
    await append(store, 2, [entry(2, 10, { n: 10 })]);
    expect((await damage(store)).message).toBe("epoch 2: commit 9 is missing, and the log goes on to commit 10");
  });

  test("the beginning of an epoch is gone that has records, the last one or one in the chain", async () => {
    const store = await twoEpochs();
    await unlink(join(store.folder, "begin-00000002.json"));
    expect((await damage(store)).message).toMatch(
      /^segment-00000002-.*: epoch 2 has records, and its beginning is gone$/,
    );
    await store.claim(9);
    await store.writeBegin(9, { parent: 2, cut: 8 });
    expect((await damage(store)).message).toMatch("the chain of epochs below 9 is broken");
  });

  test("a torn last frame is none: its segment is truncated, with a copy kept, where its writer is gone", async () => {
    const store = await twoEpochs();
    const torn = Buffer.concat([
      encodeFrame([entry(2, 9, { n: 9 })]),
      encodeFrame([entry(2, 10, { n: 10 })]).subarray(0, 50),
    ]);
    const whole = encodeFrame([entry(2, 9, { n: 9 })]);
    const [where] = ((await segmentsIn(store.folder))[0] ?? "").split("-").slice(2);
    const name = `segment-00000002-${where}-4194305-1-dead-1.jsonl`;
    await writeFile(join(store.folder, name), torn);
    const events = listener();
    expect(await on.open({ store, onEvent: events.onEvent }).occ.read(["n"])).toEqual([9]);
    const truncated = events.events.find(({ event }) => event === "segment truncated") as { copy: string };
    expect(truncated).toMatchObject({ segment: name });
    expect(await readFile(join(store.folder, name))).toEqual(whole);
    expect(await readFile(join(store.folder, truncated.copy))).toEqual(torn);
  });

  test("a torn last frame of a writer that may live is passed over and left as it is", async () => {
    const store = await twoEpochs();
    const name = "segment-00000002-elsewhe-17-1-x-1.jsonl";
    await writeFile(join(store.folder, name), encodeFrame([entry(2, 9, { n: 9 })]).subarray(0, 50));
    const events = listener();
    expect(await on.open({ store, onEvent: events.onEvent }).occ.read(["n"])).toEqual([8]);
    expect(events.count("segment truncated")).toBe(0);
    expect((await readFile(join(store.folder, name))).length).toBe(50);
  });
});
