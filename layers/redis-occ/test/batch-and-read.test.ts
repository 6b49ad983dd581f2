import { expect, test } from "@jest/globals";
import { setTimeout } from "node:timers/promises";
import { ServerRefusedError, TimeoutError, type BatchPart, type OccError } from "../src/index.ts";
import { EXEC } from "./support/commit-mode.ts";
import { add, hookWith, outcome, refuse, stage } from "./support/stage.ts";

const on = stage();

const part = (i: number, size = 100): BatchPart<number> => {
  const keys = Array.from({ length: size }, (_, j) => `p${i}:${j}`);
  return { keys, decide: () => ({ result: i, set: Object.fromEntries(keys.map((key) => [key, i])) }) };
};

test("a batch runs each part as one transaction of its own and gives the results in order", async () => {
  const occ = on.client();
  const results = await occ.batch(
    Array.from({ length: 7 }, (_, i) => part(i)),
    { concurrency: 3 },
  );
  expect(results).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(await on.calls(EXEC)).toBe(7);
  expect(await on.outside.dbsize()).toBeGreaterThanOrEqual(700);
});

test("a batch takes its parts as it goes: at most `concurrency` of them are there at a time", async () => {
  let under = 0;
  let most = 0;
  function* parts(): Generator<BatchPart<number>> {
    for (let i = 0; i < 20; i++) {
      most = Math.max(most, ++under);
      yield part(i, 10);
    }
  }
  const hook = hookWith({ executed: () => Promise.resolve().then(() => void under--) });
  await on.client({ hook }).batch(parts(), { concurrency: 3 });
  expect(most).toBe(3);
});

test("a batch that fails leaves whole parts and starts no further ones: it throws the first error after those under way have ended", async () => {
  const occ = on.client();
  const started: number[] = [];
  const parts = Array.from({ length: 10 }, (_, i): BatchPart<number> => {
    const { keys, decide } = part(i, 20);
    return {
      keys,
      decide(view) {
        started.push(i);
        return i === 3 ? refuse("part 3") : decide(view);
      },
    };
  });
  expect(await outcome(occ.batch(parts))).toEqual(new Error("part 3"));
  expect(Math.max(...started)).toBeLessThanOrEqual(5);
  for (let i = 0; i < 10; i++) {
    const written = await on.outside.exists(...(parts[i]?.keys ?? []));
    expect([0, 20]).toContain(written);
    expect(written === 20).toBe(started.includes(i) && i !== 3);
  }
});

test("a batch ends within its timeout: each part gets what is left of it, and none begins after it", async () => {
  const occ = on.client();
  let begun = 0;
  function* parts(): Generator<BatchPart<number>> {
    for (;;) yield part(begun++, 10);
  }
  const started = performance.now();
  // Of a part whose EXEC was under way nobody can tell.
  const { code } = (await outcome(occ.batch(parts(), { timeout: 400 }))) as OccError;
  expect(["timeout", "outcome_unknown"]).toContain(code);
  expect(performance.now() - started).toBeLessThan(800);
  const ended = begun;
  await setTimeout(100);
  expect(begun).toBe(ended);
  expect(begun).toBeGreaterThan(2);
  // Where it is the source of the parts that takes the time.
  function* slowly(): Generator<BatchPart<number>> {
    yield part(0);
    for (const late = performance.now() + 250; performance.now() < late;);
    yield part(1);
  }
  await on.outside.flushall();
  expect(await outcome(occ.batch(slowly(), { timeout: 200, concurrency: 1 }))).toBeInstanceOf(TimeoutError);
  expect(await on.outside.exists("p0:0", "p1:0")).toBe(1);
});

test("a part of a batch that hangs has no more than what the parts before it have left", async () => {
  const redis = await on.ownRedis();
  let ran = 0;
  // Those of one worker, one after the other: the second finds a server that hangs.
  function* parts(): Generator<BatchPart<number>> {
    yield { keys: [], decide: () => ({ result: ran++, set: { first: 1 } }) };
    redis.pause();
    yield part(1);
  }
  const hook = hookWith({ executed: () => setTimeout(800) });
  const started = performance.now();
  try {
    const batch = on.client({ hook, url: redis.url }).batch(parts(), { concurrency: 1, timeout: 1_000 });
    expect(await outcome(batch)).toBeInstanceOf(TimeoutError);
  } finally {
    redis.resume();
  }
  expect(ran).toBe(1);
  expect(performance.now() - started).toBeLessThan(1_600);
});

test("a source of parts that throws ends the batch after those under way have ended", async () => {
  const occ = on.client();
  function* parts(): Generator<BatchPart<number>> {
    yield part(0);
    yield part(1);
    throw new Error("no more");
  }
  expect(await outcome(occ.batch(parts()))).toEqual(new Error("no more"));
  expect(await on.outside.exists("p0:0", "p1:0")).toBe(2);
});

test("a batch loses nothing that others change meanwhile", async () => {
  const occ = on.client();
  const other = on.client();
  const bump: BatchPart<number> = { keys: ["n"], decide: add("n") };
  const others = Array.from({ length: 30 }, () => other.transact(["n"], add("n")));
  await Promise.all([
    occ.batch(
      Array.from({ length: 30 }, () => bump),
      { concurrency: 4 },
    ),
    ...others,
  ]);
  expect(await on.json("n")).toBe(60);
});

test("a read sees all its keys at one instant, while a transaction changes them together", async () => {
  const [writer, reader] = [on.client(), on.client()];
  const keys = ["a", "b", "c"];
  const writes = (async () => {
    for (let i = 1; i <= 100; i++) await writer.transact(keys, () => ({ result: i, set: { a: i, b: i, c: i } }));
  })();
  for (let seen: number | null = 0; seen !== 100; [seen] = (await reader.read<number>(keys)) as [number | null]) {
    for (const values of await Promise.all([reader.read(keys), reader.read(["c", "b", "a"])]))
      expect(new Set(values).size).toBe(1);
  }
  await writes;
});

test("reads that wait at the same time share one MULTI; each gets its own keys in its order", async () => {
  await on.outside.mset("a", "1", "b", "2", "c", "3");
  const occ = on.client();
  expect(await Promise.all([occ.read(["a", "b"]), occ.read(["c", "a"]), occ.read([]), occ.read(["x"])])).toEqual([
    [1, 2],
    [3, 1],
    [],
    [null],
  ]);
  expect(await on.calls("exec")).toBe(1);
});

test("a read of many keys does not make the short ones wait in its MULTI", async () => {
  const keys = Array.from({ length: 5_000 }, (_, i) => `k${i}`);
  await on.outside.mset(keys.flatMap((key, i) => [key, String(i)]));
  const occ = on.client();
  const [long, short] = await Promise.all([occ.read(keys), occ.read(["k7"])]);
  expect(long).toEqual(keys.map((_, i) => i));
  expect(short).toEqual([7]);
  expect(await on.calls("exec")).toBe(2);
});

test("reads beyond what one MULTI takes are answered all the same", async () => {
  await on.outside.set("k99", "99");
  const occ = on.client();
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const answers = await Promise.all(Array.from({ length: 60 }, () => occ.read(keys)));
  expect(answers.every((values) => values.length === 100 && values[99] === 99)).toBe(true);
  expect(await on.calls("exec")).toBe(3);
});

test("a query gives the replies of its commands at one instant, in order", async () => {
  await on.outside.mset("a", "1", "b", "2");
  await on.outside.zadd("index", 1, "a", 2, "b");
  const occ = on.client();
  expect(
    await occ.query([
      ["zrange", "index", 0, -1],
      ["get", "a"],
      ["exists", "x"],
    ]),
  ).toEqual([["a", "b"], "1", 0]);
  expect(await on.calls("exec")).toBe(1);
});

test("a query that Redis refuses fails alone, as ServerRefusedError", async () => {
  await on.outside.set("a", "1");
  const occ = on.client();
  const [refused, fine] = await Promise.all([outcome(occ.query([["zrange", "a", 0, -1]])), occ.query([["get", "a"]])]);
  expect(refused).toBeInstanceOf(ServerRefusedError);
  expect(fine).toEqual(["1"]);
});

test("more keys than a command can carry are refused with a RangeError, and the client goes on", async () => {
  const occ = on.client({ connections: 1 });
  const keys = Array.from({ length: 300_000 }, (_, i) => `k${i}`);
  expect(await outcome(occ.read(keys))).toBeInstanceOf(RangeError);
  expect(await outcome(occ.transactAlone(keys, () => ({ result: 0 })))).toBeInstanceOf(RangeError);
  expect(await occ.read(["k1"])).toEqual([null]);
});
