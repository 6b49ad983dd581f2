import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openFileStore } from "../../src/index.ts";
import { surveyHistory } from "../../src/recover/survey.ts";
import { counted } from "../support/counted-store.ts";
import { tampered } from "../support/tampered-store.ts";
import { append, begun, entry } from "../support/logs.ts";
import { add, listener, outcome, replayed, stage, until } from "../support/stage.ts";

const on = stage();

describe("epochs that restores have left behind, one after the other", () => {
  /** A log with one commit, and idle epochs up to the one named, which go on from `parent`. */
  async function idle(last: number, parent = (epoch: number): number => epoch - 1): Promise<string> {
    await on.outside.flushall();
    const { folder } = await on.store();
    const first = on.open({ store: await on.store(folder) });
    await first.occ.transact(["n"], add("n"));
    await first.close();
    const name = (epoch: number): string => String(epoch).padStart(8, "0");
    for (let from = 2; from <= last; from += 500)
      await Promise.all(
        Array.from({ length: Math.min(500, last + 1 - from) }, async (_, i) => {
          const epoch = from + i;
          await writeFile(join(folder, `claim-${name(epoch)}`), "");
          await writeFile(join(folder, `begin-${name(epoch)}.json`), `{"parent":${parent(epoch)},"cut":1}\n`);
        }),
      );
    await on.outside.flushall();
    return folder;
  }

  /** What a restore of it asks of the store. */
  async function requestsOfRestore(folder: string): Promise<number> {
    const { store, asked } = counted(await openFileStore({ folder }), 0);
    const state = on.open({ store, timeout: 60_000 });
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    const count = asked();
    await state.close();
    return count;
  }

  test("10,000 of them: a restore asks the store for no more than with 20, and they are tidied away", async () => {
    const few = await requestsOfRestore(await idle(21));
    const folder = await idle(10_001);
    // A comparison or two more, where the machine is slow.
    expect(await requestsOfRestore(folder)).toBeLessThan(few + 10);
    await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return (await readdir(folder)).filter((found) => /^(claim|begin)-/.test(found)).length <= 5;
    }, 60_000);
    expect((await (await on.store(folder)).begins()).size).toBe(2);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  }, 180_000);

  test("those that passed over the ones before them, as restores do, are tidied away as well", async () => {
    const folder = await idle(21, () => 1);
    expect((await surveyHistory(await on.store(folder), () => Promise.resolve())).idle).toHaveLength(20);
    await requestsOfRestore(folder);
    const store = await on.store(folder);
    await until(async () => (await store.claims()).length <= 2);
    expect([...(await store.begins()).keys()]).toEqual([1, 22]);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });

  test("a restore that fails after them pauses for as long as their number says, whoever has made them", async () => {
    const folder = await idle(7, () => 1);
    const failing = tampered(await on.store(folder), { afterBegin: () => Promise.reject(new Error("no luck")) });
    expect(await outcome(on.open({ store: failing }).occ.read(["n"]))).toMatchObject({ message: "no luck" });
    const pause = await on.outside.pttl("log:lock");
    expect(pause).toBeLessThanOrEqual(6_400);
    expect(pause).toBeGreaterThan(3_200);
  });

  test("a process that comes back in an epoch whose claim was tidied away does not take it for one that goes on", async () => {
    const store = await on.store();
    for (let epoch = 1; epoch <= 5; epoch++) await store.claim(epoch);
    await store.forgetEpochs?.([], 5);
    expect(await store.claims()).toEqual([5]);
    for (const epoch of [1, 2, 3])
      expect(await outcome(store.isSealed(epoch))).toMatchObject({ code: "log_unavailable" });
    expect(await store.isSealed(4)).toBe(true);
    expect(await store.isSealed(5)).toBe(false);
  });
});

test("a restore that fails is tried again less and less often, by however many processes, and leaves few epochs", async () => {
  const server = await on.ownRedis();
  const { folder } = await on.store();
  const first = on.open({ url: server.url, store: await on.store(folder) });
  for (let i = 0; i < 50; i++)
    await first.occ.transact([`k${i}`], () => ({ result: 0, set: { [`k${i}`]: "x".repeat(40_000) } }));
  await first.close();
  const client = on.connect(server.url);
  await client.flushall();
  const { used_memory: used = "0" } = Object.fromEntries(
    (await client.info("memory")).split("\r\n").map((line) => line.split(":")),
  ) as Record<string, string>;
  await client.config("SET", "maxmemory", String(Number(used) + 1_000_000));

  const events = listener();
  const states = await Promise.all(
    Array.from({ length: 5 }, async () =>
      on.open({ url: server.url, store: await on.store(folder), onEvent: events.onEvent }),
    ),
  );
  const started = performance.now();
  await Promise.all(
    states.map(async (state) => {
      while (events.count("restore started") < 6) await outcome(state.occ.read(["k0"], { timeout: 500 }));
    }),
  );
  // Five pauses lie between six restores, whoever makes them: 100 ms, 200 and so on, each at most a quarter shorter.
  expect(performance.now() - started).toBeGreaterThan(0.75 * (100 + 200 + 400 + 800 + 1_600));
  expect((await (await openFileStore({ folder })).claims()).length).toBe(1 + events.count("restore started"));
  await client.config("SET", "maxmemory", "0");
  // Until its pause is over, whoever made the last of them is told why it failed.
  await until(async () => (await outcome(states[0]?.occ.read(["k0"]) ?? Promise.resolve())) instanceof Array, 20_000);
  expect(await states[0]?.occ.read(["k49"], { timeout: 20_000 })).toEqual(["x".repeat(40_000)]);
}, 60_000);

test("a log that is damaged is claimed once: whoever comes later finds the damage first", async () => {
  const { folder } = await on.store();
  const first = on.open({ store: await on.store(folder) });
  for (let n = 1; n <= 3; n++) await first.occ.transact(["n"], add("n"));
  await first.close();
  const store = await on.store(folder);
  const [segment] = await store.segments();
  await writeFile(join(folder, segment?.name ?? ""), "damaged\n", { flag: "r+" });
  await on.outside.flushall();
  for (let i = 0; i < 4; i++) {
    const state = on.open({ store: await on.store(folder) });
    expect(await outcome(state.occ.read(["n"]))).toMatchObject({ code: "log_damaged" });
    await state.close();
  }
  expect(await store.claims()).toEqual([1, 2]);
});

test.each([
  ["within a chunk", 0],
  ["over chunks", 1_500],
])("damage that only a replay finds, %s, is told to all and leaves few epochs", async (_where, between) => {
  const store = await on.store();
  await begun(store, 1, { parent: 0, cut: 0, format: 3 });
  const others = Object.fromEntries(Array.from({ length: between }, (_, i) => [`x${i}`, i]));
  // Fields of a string, each record with a good checksum.
  await append(store, 1, [entry(1, 1, { k: "text" })], [entry(1, 2, others)], [entry(1, 3, {}, {}, { k: { a: 1 } })]);
  const state = on.open({ store, hashes: true });
  for (let i = 0; i < 12; i++)
    expect(await outcome(state.occ.read(["k"]))).toMatchObject({ code: "log_damaged", transient: false });
  expect((await store.claims()).length).toBeLessThan(6);
});

test("a slow restore keeps its lock as long as it gets on: nobody else claims meanwhile", async () => {
  const { folder } = await on.store();
  const first = on.open({ store: await on.store(folder) });
  await first.occ.transact(["n"], add("n"));
  await first.close();
  await on.outside.flushall();
  const slow = tampered(await on.store(folder), {
    // Renewed every quarter of its life, by a count that it holds.
    beforeSync: () => until(async () => Number((await on.outside.get("log:lock"))?.split(":")[1]) >= 8, 40_000),
  });
  const states = [slow, await on.store(folder), await on.store(folder)].map((store) =>
    on.open({ store, lockTtl: 2_000, timeout: 50_000 }),
  );
  const [one, ...others] = states;
  const reading = one?.occ.read(["n"]);
  await until(async () => (await on.outside.get("log:lock")) !== null);
  expect(await Promise.all([reading, ...others.map((state) => state.occ.read(["n"]))])).toEqual([[1], [1], [1]]);
  expect(await (await on.store(folder)).claims()).toEqual([1, 2]);
}, 60_000);
