import { describe, expect, test } from "@jest/globals";
import { add, outcome, records, replayed, segmentsIn, stage, stateOf, until, waits } from "../support/stage.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";

const on = stage();

/** A client whose next append stops at a door, before or after the bytes are written. */
async function slow(): Promise<{
  folder: string;
  state: ReturnType<typeof on.open>;
  tampering: Tampering;
  other: ReturnType<typeof on.open>;
}> {
  const store = await on.store();
  const tampering: Tampering = {};
  const state = on.open({ store: tampered(store, tampering), indexes: ["i:"] });
  await state.occ.transact(["before"], add("before"));
  const other = on.open({ store: await on.store(store.folder), indexes: ["i:"] });
  await other.ready();
  return { folder: store.folder, state, tampering, other };
}

/** A transaction that Redis has executed, and whose append waits for the door to be opened. */
async function executed(
  { state, tampering }: Pick<Awaited<ReturnType<typeof slow>>, "state" | "tampering">,
  key = "n",
) {
  const stop = door();
  tampering.beforeAppend = stop.reach;
  const answer = state.occ.transact([key], add(key));
  await stop.reached;
  return { stop, answer };
}

test("a commit is answered only once its append has ended", async () => {
  const { folder, state, tampering } = await slow();
  const { stop, answer } = await executed({ state, tampering });
  expect(await on.outside.get("n")).toBe("1");
  expect(await waits(answer)).toBe(true);
  expect((await records(folder)).length).toBe(1);
  stop.open();
  expect(await answer).toBe(1);
  expect((await records(folder)).at(-1)).toMatchObject({ n: 2, set: { n: 1 } });
});

test.each([1, 2, 7])(
  "a group of %i: each transaction has a number of its own, in Redis as in the log, in the order of their decisions",
  async (size) => {
    const { folder, state, tampering } = await slow();
    const stop = door();
    tampering.beforeAppend = stop.reach;
    const keys = Array.from({ length: size }, (_, i) => `k${i}`);
    const answers = keys.map((key) =>
      state.occ.transact(["n", key], (view) => ({ result: 0, set: { [key]: 1, n: (view.get<number>("n") ?? 0) + 1 } })),
    );
    await stop.reached;
    const tail = (await on.outside.xrange("log:tail", "-", "+"))
      .slice(-size)
      .map(([id, [, body]]) => ({ id, ...(JSON.parse(`{${body}}`) as object) }));
    expect(tail).toEqual(
      keys.map((key, i) => expect.objectContaining({ id: `1-${2 + i}`, set: { [key]: 1, n: i + 1 } })),
    );
    stop.open();
    await Promise.all(answers);
    expect((await records(folder)).slice(1)).toEqual(
      keys.map((key, i) => expect.objectContaining({ epoch: 1, n: 2 + i, set: { [key]: 1, n: i + 1 } })),
    );
  },
);

test("a commit is answered only after the look for a claim that follows its append", async () => {
  const { state, tampering } = await slow();
  const stop = door();
  tampering.beforeSealed = stop.reach;
  const answer = state.occ.transact(["n"], add("n"));
  await stop.reached;
  expect(await waits(answer)).toBe(true);
  stop.open();
  expect(await answer).toBe(1);
});

describe("while a write is on its way to the log, in this process", () => {
  async function pending() {
    const all = await slow();
    return { ...all, ...(await executed(all, "i:n")) };
  }

  test("a read that saw it waits", async () => {
    const { state, stop } = await pending();
    const read = state.occ.read(["x", "i:n"]);
    expect(await waits(read)).toBe(true);
    stop.open();
    expect(await read).toEqual([null, 1]);
  });

  test("a read of other keys does not wait", async () => {
    const { state, stop } = await pending();
    expect(await waits(state.occ.read(["before", "y"]), 2_000)).toBe(false);
    stop.open();
  });

  test("a refusal that saw it waits", async () => {
    const { state, stop } = await pending();
    const refusal = outcome(
      state.occ.transactAlone(["i:n"], () => {
        throw new Error("no");
      }),
    );
    expect(await waits(refusal)).toBe(true);
    stop.open();
    expect(await refusal).toEqual(new Error("no"));
  });

  test("a list of keys, which may show it, waits", async () => {
    const { state, stop } = await pending();
    const list = state.keys("i:");
    expect(await waits(list)).toBe(true);
    stop.open();
    expect(await list).toEqual(["i:n"]);
  });

  test("a commit that rests on it is answered after it, and both are in the log in order", async () => {
    const { folder, state, stop, answer } = await pending();
    const next = state.occ.transactAlone(["i:n"], add("i:n"));
    await until(async () => (await on.outside.get("i:n")) === "2");
    expect(await waits(next)).toBe(true);
    stop.open();
    expect(await Promise.all([answer, next])).toEqual([1, 2]);
    expect((await records(folder)).map(({ set }) => set)).toEqual([{ before: 1 }, { "i:n": 1 }, { "i:n": 2 }]);
  });
});

describe("while a write of another process is not in the log yet", () => {
  async function abandoned() {
    const all = await slow();
    // Never lets go, as if that process were stopped for good between its EXEC and its append.
    const { stop, answer } = await executed(all, "i:n");
    const ended = outcome(answer);
    on.after(async () => {
      stop.open();
      await ended;
    });
    return all;
  }

  test("a read that sees it appends it first", async () => {
    const { folder, other } = await abandoned();
    expect(await other.occ.read(["i:n"])).toEqual([1]);
    expect((await records(folder)).at(-1)).toMatchObject({ n: 2, set: { "i:n": 1 } });
  });

  test("a refusal that sees it appends it first", async () => {
    const { folder, other } = await abandoned();
    await expect(
      other.occ.transact(["i:n"], () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect((await records(folder)).at(-1)).toMatchObject({ n: 2, set: { "i:n": 1 } });
  });

  test("a list of keys that may show it appends it first", async () => {
    const { folder, other } = await abandoned();
    expect(await other.keys("i:")).toEqual(["i:n"]);
    expect((await records(folder)).at(-1)).toMatchObject({ n: 2 });
  });

  test("a read of other keys appends nothing", async () => {
    const { folder, other } = await abandoned();
    expect(await other.occ.read(["elsewhere"])).toEqual([null]);
    expect(await segmentsIn(folder)).toHaveLength(1);
  });

  test("a commit appends it with its own, in order: the log is a prefix", async () => {
    const { folder, other } = await abandoned();
    expect(await other.occ.transact(["other"], add("other"))).toBe(1);
    expect((await records(folder)).map(({ n, set }) => [n, set])).toEqual([
      [1, { before: 1 }],
      [2, { "i:n": 1 }],
      [3, { other: 1 }],
    ]);
    const live = await stateOf(on.outside);
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
  });
});

test("commits that wait at the same time share frames: fewer appends than commits", async () => {
  const { state, tampering } = await slow();
  let appends = 0;
  tampering.beforeAppend = async () => {
    appends++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await Promise.all(Array.from({ length: 200 }, (_, i) => state.occ.transact([`k:${i % 20}`], add(`k:${i % 20}`))));
  expect(appends).toBeLessThan(20);
});

test("what is durable is dropped from the tail in Redis", async () => {
  const { state } = await slow();
  for (let i = 0; i < 50; i++) await state.occ.transact(["n"], add("n"));
  expect(await on.outside.xlen("log:tail")).toBeLessThanOrEqual(2);
});

test("what is only on its way to the log stays in the tail for the others, also when its own process goes on", async () => {
  const { folder, state, tampering, other } = await slow();
  await state.occ.transact(["before"], add("before"));
  const { stop, answer } = await executed({ state, tampering });
  const answers = [answer];
  for (let i = 2; i <= 4; i++) {
    answers.push(state.occ.transactAlone(["n"], add("n")));
    await until(async () => (await on.outside.get("n")) === String(i));
  }
  expect(await other.occ.transact(["n"], add("n"))).toBe(5);
  expect((await records(folder)).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  stop.open();
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
});

test("who comes while an append is under way joins the next group: one EXEC for all of them", async () => {
  const { state, tampering } = await slow();
  const { stop, answer } = await executed({ state, tampering });
  const answers = [answer];
  const before = await execs();
  for (let i = 2; i <= 20; i++) {
    answers.push(state.occ.transact(["n"], add("n")));
    await on.outside.ping();
  }
  stop.open();
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  // A machine that needs 100 ms for the pings sees a second one.
  expect((await execs()) - before).toBeLessThan(4);
});

test("who comes while an append hangs is not kept from finding out what is the matter", async () => {
  const { state, tampering } = await slow();
  const { stop, answer: first } = await executed({ state, tampering });
  const second = state.occ.transact(["n"], add("n"));
  await until(async () => (await on.outside.get("n")) === "2");
  stop.open();
  expect(await Promise.all([first, second])).toEqual([1, 2]);
});

/** Commits so far, in either mode. */
async function execs(): Promise<number> {
  const stats = await on.outside.info("commandstats");
  return [...stats.matchAll(/^cmdstat_(?:exec|evalsha):calls=(\d+)/gm)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

test("what is known to be durable is not carried over to the next epoch", async () => {
  const { folder, state } = await slow();
  for (let i = 0; i < 20; i++) await state.occ.transact(["n"], add("n"));
  await on.outside.flushall();
  // The numbers go on, and nothing of the new epoch is in the log yet.
  expect(await state.occ.transact(["n"], add("n"))).toBe(21);
  expect((await records(folder)).at(-1)).toMatchObject({ epoch: 2, n: 22, set: { n: 21 } });
});

test("a second large transaction whose reply overtakes the first one's is not answered before both are in the log", async () => {
  const { folder, state } = await slow();
  const parts = Array.from({ length: 20 }, (_, i) => ({
    keys: [],
    decide: () => ({ result: i, set: { [`p:${i}`]: "x".repeat(i % 2 ? 10 : 20_000) } }),
  }));
  expect(await state.occ.batch(parts, { concurrency: 6 })).toEqual(parts.map((_, i) => i));
  expect((await records(folder)).map(({ n }) => n)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
});

test("a record says when, which operation, and what it wrote; a deleted key is null", async () => {
  const store = await on.store();
  const state = on.open({ store, now: () => new Date("2026-01-31T12:00:00.123Z") });
  await state.occ.transact(["a", "b"], () => ({ result: 0, set: { a: { x: [1, "ü"] }, b: 2 } }), {
    meta: { op: "put", saga: "s-1" },
  });
  await state.occ.transact(["a"], () => ({ result: 0, set: { a: null } }));
  expect(await records(store.folder)).toEqual([
    {
      epoch: 1,
      n: 1,
      at: "2026-01-31T12:00:00.123Z",
      tx: expect.stringMatching(/^[0-9a-f]+-1$/),
      op: "put",
      saga: "s-1",
      set: { a: { x: [1, "ü"] }, b: 2 },
      crc: expect.any(String),
      frame: expect.any(Object),
    },
    {
      epoch: 1,
      n: 2,
      at: "2026-01-31T12:00:00.123Z",
      tx: expect.stringMatching(/^[0-9a-f]+-2$/),
      set: { a: null },
      crc: expect.any(String),
      frame: expect.any(Object),
    },
  ]);
});

test("a transaction on a key of the log itself, or with a note that the log writes, changes nothing", async () => {
  const store = await on.store();
  const state = on.open({ store });
  await state.ready();
  const before = await on.outside.get("log:guard");
  for (const key of ["log:guard", "log:tail", "occ:marker:x"])
    await expect(state.occ.transact([key], () => ({ result: 0, set: { [key]: 1 } }))).rejects.toThrow(TypeError);
  await expect(state.occ.transact(["a"], add("a"), { meta: { epoch: 7 } })).rejects.toThrow(TypeError);
  expect(await on.outside.get("log:guard")).toBe(before);
  expect(await records(store.folder)).toEqual([]);
  const metas = [{ op: "first" }, { n: 1 }, { amount: 1n }, { op: "last" }];
  expect(await Promise.all(metas.map((meta) => outcome(state.occ.transact(["a"], add("a"), { meta }))))).toEqual([
    1,
    expect.any(TypeError),
    expect.any(TypeError),
    2,
  ]);
});

test("close appends what was executed and answers it, and leaves the epoch to the others", async () => {
  const { folder, state, tampering, other } = await slow();
  const { stop, answer } = await executed({ state, tampering });
  const next = state.occ.transactAlone(["n"], add("n"));
  await until(async () => (await on.outside.get("n")) === "2");
  const closed = state.close();
  stop.open();
  await closed;
  expect(await Promise.all([answer, next])).toEqual([1, 2]);
  expect(await other.occ.transact(["n"], add("n"))).toBe(3);
  expect((await records(folder)).map(({ epoch }) => epoch)).toEqual([1, 1, 1, 1]);
});
