import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, jest, test } from "@jest/globals";
import { openFileStore } from "../../src/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { encodeBody } from "../../src/format/record.ts";
import { Worker } from "../support/crew.ts";
import { run } from "../support/processes.ts";
import { records, replayed, segmentsIn, stage, stateOf, until } from "../support/stage.ts";

const on = stage();

/** A process starts when the machine lets it. */
const START = 60_000;
jest.setTimeout(3 * START);

async function worker(folder: string, lockTtl?: number): Promise<Worker> {
  const own = new Worker(on.redis.url, folder, lockTtl);
  on.after(() => own.kill());
  await until(() => own.events.length > 0, START);
  return own;
}

/** A log of `frames` frames of `size` keys each. */
async function written(frames: number, size: number, bytes = 20) {
  const { folder } = await on.store();
  const store = Object.assign(await openFileStore({ folder, durability: "os" }), { folder });
  await store.claim(1);
  await store.writeBegin(1, { parent: 0, cut: 0 });
  const segment = store.createSegment(1);
  for (let n = 1; n <= frames; n++) {
    const set = new Map(
      Array.from(
        { length: size },
        (_, k) => [`k:${(n * size + k) % 50_000}`, JSON.stringify(`${"x".repeat(bytes)}${n}`)] as const,
      ),
    );
    await segment.append(
      encodeFrame([{ epoch: 1, n, body: encodeBody("2026-01-31T12:00:00.000Z", `t-${n}`, "", set) }]),
    );
  }
  await segment.close();
  return store;
}

test("two processes that find an empty Redis at once: one restores, both go on, and the state is right", async () => {
  const store = await written(100, 200);
  const workers: readonly [Worker, Worker] = [await worker(store.folder), await worker(store.folder)];
  expect(await Promise.all(workers.map((own, i) => own.order({ id: i, op: "ready", keys: [] })))).toEqual([
    { id: 0, result: null },
    { id: 1, result: null },
  ]);
  expect(workers.flatMap(({ events }) => events).filter(({ event }) => event === "restored")).toHaveLength(1);
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => (workers[i % 2] as Worker).order({ id: 100 + i, op: "add", keys: ["both"] })),
  );
  const live = await stateOf(on.outside);
  expect((JSON.parse(live["both"] as string) as number[]).sort()).toEqual(
    Array.from({ length: 50 }, (_, i) => 100 + i),
  );
  expect(await replayed(on, store.folder)).toEqual(live);
});

test("a process killed by SIGKILL in the middle of a restore: another one does it, once the lock has expired", async () => {
  const store = await written(60, 1_000);
  const victim = await worker(store.folder, 1_000);
  const next = await worker(store.folder, 1_000);
  void victim.order({ id: 1, op: "ready", keys: [] });
  await until(async () => (await on.outside.dbsize()) > 2_000);
  await victim.kill();
  expect(await on.outside.get("log:guard")).toBeNull();
  expect(await next.order({ id: 2, op: "ready", keys: [], timeout: 20_000 })).toEqual({ id: 2, result: null });
  expect([...(await store.begins()).keys()]).toEqual([1, 2, 3]);
  expect(await stateOf(on.outside)).toEqual(await replayed(on, store.folder));
});

test("a writer killed by SIGKILL: each answered commit is in the log, and the others go on without waiting for it", async () => {
  const store = await on.store();
  const [victim, other] = [await worker(store.folder), await worker(store.folder)];
  await Promise.all([victim.order({ id: 1, op: "ready", keys: [] }), other.order({ id: 2, op: "ready", keys: [] })]);
  const orders = Array.from({ length: 400 }, (_, i) => victim.order({ id: 100 + i, op: "add", keys: [`a:${i % 5}`] }));
  await orders[20];
  await victim.kill();
  const answers = await Promise.all(orders);
  const answered = answers
    .filter((answer) => answer !== null && "result" in answer)
    .map((answer) => (answer as { id: number }).id);
  expect(answered.length).toBeGreaterThan(0);
  const read = await other.order({ id: 3, op: "read", keys: [0, 1, 2, 3, 4].map((i) => `a:${i}`) });
  expect(await store.claims()).toEqual([1]);
  const present = (read as unknown as { result: (number[] | null)[] }).result.flatMap((list) => list ?? []);
  for (const id of answered) expect(present.filter((one) => one === id)).toEqual([id]);
  expect(new Set(present).size).toBe(present.length);
  expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
});

test("a writer stopped (SIGSTOP) through a recovery answers nothing that is not in the log, and no commit twice", async () => {
  const store = await on.store();
  const [stopped, other] = [await worker(store.folder), await worker(store.folder)];
  await Promise.all([stopped.order({ id: 1, op: "ready", keys: [] }), other.order({ id: 2, op: "ready", keys: [] })]);
  for (let round = 0; round < 5; round++) {
    const orders = Array.from({ length: 30 }, (_, i) =>
      stopped.order({ id: 1_000 * (round + 1) + i, op: "add", keys: [`a:${i % 3}`] }),
    );
    await orders[0];
    stopped.pause();
    await on.outside.flushall();
    const answer = await other.order({ id: 500 + round, op: "add", keys: ["a:0"] });
    expect(answer).toHaveProperty("result");
    stopped.resume();
    for (const answered of await Promise.all(orders)) expect(answered).toHaveProperty("result");
  }
  const live = await stateOf(on.outside);
  const ids = Object.values(live).flatMap((list) => JSON.parse(list as string) as number[]);
  expect(ids.length).toBe(5 * 31);
  expect(new Set(ids).size).toBe(ids.length);
  expect(await replayed(on, store.folder)).toEqual(live);
});

test("a disk that is full (in one process): its commits are decided by a recovery of somebody else's, none lost, none twice", async () => {
  const store = await on.store();
  const { code, output } = await run("commit-until-full.ts", [on.redis.url, store.folder], {
    shell: "ulimit -f 24; trap '' XFSZ",
  });
  const told = JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as { answered: number[]; errors: string[] };
  expect(code).toBe(0);
  expect(told.answered.length).toBeGreaterThan(5);
  // Whatever it could not append it must not have answered with success.
  const state = on.open({ store: await on.store(store.folder) });
  const [present] = await state.occ.read<number[]>(["ids"]);
  for (const id of told.answered) expect(present?.filter((one) => one === id)).toEqual([id]);
  expect(new Set(present).size).toBe(present?.length);
  expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
});

test("a restore of more than 100 MB of log needs less than 100 MB on top of what the process has without it", async () => {
  const store = await written(360, 1_000, 280);
  const sizes = await Promise.all(
    (await segmentsIn(store.folder)).map(async (name) => (await readFile(join(store.folder, name))).length),
  );
  expect(sizes.reduce((a, b) => a + b)).toBeGreaterThan(100_000_000);
  // V8 makes its young generation as large as the machine allows (130 MB on one of 24 GB), whatever is alive in it.
  const { code, output } = await run("restore-and-measure.ts", [on.redis.url, store.folder], {
    nodeArgs: ["--max-semi-space-size=16"],
  });
  expect([code, output]).toEqual([0, expect.stringMatching(/^\d+\n$/)]);
  expect(Number(output)).toBeLessThan(100_000_000);
}, 120_000);

test("one sort over the segments of many writers gives the history in commit order, each commit once", async () => {
  const store = await on.store();
  const workers = await Promise.all(Array.from({ length: 3 }, () => worker(store.folder)));
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      Array.from({ length: 90 }, (_, i) =>
        (workers[i % 3] as Worker).order({ id: 1_000 * round + i, op: "add", keys: [`a:${i % 4}`] }),
      ),
    );
    await on.outside.flushall();
  }
  await workers[0]?.order({ id: 9_999, op: "add", keys: ["a:0"] });
  const { code, output } = await run("sort.ts", [store.folder]);
  expect(code).toBe(0);
  const sorted = output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { epoch: number; n: number; id: number });
  const all = await records(store.folder);
  expect((await segmentsIn(store.folder)).length).toBeGreaterThan(3);
  expect(sorted.map(({ epoch, n }) => [epoch, n])).toEqual(all.map(({ epoch, n }) => [epoch, n]));
  expect(sorted.map(({ n }) => n)).toEqual(Array.from({ length: 181 }, (_, i) => i + 1));
  expect(new Set(sorted.map(({ id }) => id)).size).toBe(181);
  // Numbers, not text: 9 comes before 10.
  expect(sorted.findIndex(({ n }) => n === 10)).toBe(9);
});
