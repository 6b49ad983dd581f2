import { describe, expect, test } from "@jest/globals";
import { CommandFailedError, OutcomeUnknownError, type Command, type View, type Write } from "../src/index.ts";
import { EXEC } from "./support/commit-mode.ts";
import { add, beforeExec, hookWith, outcome, stage, until } from "./support/stage.ts";

const on = stage();

const with_ = (...commands: Command[]) => ({ result: "done", commands });

test("commands of a rule run with what it sets, after that and in their order", async () => {
  const occ = on.client();
  const heard: string[] = [];
  const subscriber = on.connect(on.redis.url);
  await subscriber.subscribe("news");
  subscriber.on("message", (_channel, text) => heard.push(text));
  await occ.transact(["n"], (view) => ({
    ...add("n")(view),
    commands: [
      ["zadd", "board", 5, "ann"],
      ["hset", "cart", "apple", "1", "raw", Buffer.from("x")],
      ["publish", "news", "booked"],
      ["expire", "n", 60],
    ],
  }));
  expect(await on.outside.zscore("board", "ann")).toBe("5");
  expect(await on.outside.hgetall("cart")).toEqual({ apple: "1", raw: "x" });
  expect(await on.outside.ttl("n")).toBeGreaterThan(50);
  await until(() => heard.length === 1);
  expect(heard).toEqual(["booked"]);
});

test("a command with a Buffer runs in its place: within its EXEC, and not where that is in vain", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url, maxAttempts: 1 });
  const append = (view: View) => ({
    ...add("n")(view),
    commands: [["append", "raw", Buffer.from("x")]] satisfies Command[],
  });
  void beforeExec(proxy, () => on.outside.set("n", "5"));
  expect(await outcome(occ.transact(["n"], append))).toMatchObject({ code: "conflict", unchanged: true });
  expect(await on.outside.get("raw")).toBeNull();
  expect(await occ.transact(["n"], append)).toBe(6);
  expect(
    await occ.query([
      ["get", "n"],
      ["get", Buffer.from("raw")],
      ["get", "n"],
    ]),
  ).toEqual(["6", "x", "6"]);
});

test("a rule with more words than a command can have gets an error of its own; its group commits without it", async () => {
  const occ = on.client();
  const words = Array.from({ length: 70_000 }, (_, i) => `k${i}`);
  const [long, many, fine] = await Promise.all([
    outcome(occ.transact([], () => with_(["sadd", "s", ...words]))),
    outcome(occ.transact([], () => ({ result: 0, set: Object.fromEntries(words.map((key) => [key, 1])) }))),
    occ.transact(["n"], add("n")),
  ]);
  expect([long, many]).toEqual([expect.any(RangeError), expect.any(RangeError)]);
  expect(fine).toBe(1);
  expect(await on.outside.keys("*")).not.toContain("k1");
});

test("a rule that only has commands counts as a write, and its EXEC in vain runs none of them", async () => {
  const occ = on.client();
  expect(await occ.transact([], () => with_(["incr", "i"]))).toBe("done");
  expect(await occ.transactAlone([], () => with_(["incr", "i"]))).toBe("done");
  expect(await on.outside.get("i")).toBe("2");
});

test("a later rule of a group sees what the commands before it made", async () => {
  const occ = on.client();
  const count = (view: View) => ({
    result: view.sortedSet("board").size,
    commands: [["zadd", "board", 1, `m${view.sortedSet("board").size}`]] satisfies Command[],
  });
  const results = await Promise.all(Array.from({ length: 5 }, () => occ.transact(["board"], count)));
  expect([...results].sort()).toEqual([0, 1, 2, 3, 4]);
  const [, read, blind] = await Promise.all([
    occ.transact(["i"], () => with_(["set", "i", "41"])),
    occ.transact(["i"], (view) => ({ result: view.get("i") })),
    occ.transact([], () => ({ result: "last", set: { j: 1 } })),
    occ.transact([], () => with_(["incr", "j"])),
    occ.transact([], () => ({ result: "last", set: { j: 5 } })),
  ]);
  expect([read, blind]).toEqual([41, "last"]);
  expect(await on.outside.get("j")).toBe("5");
});

test("commands on different keys share one EXEC", async () => {
  const occ = on.client();
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => occ.transact([`k${i}`], () => with_(["hincrby", `h${i}`, "f", 1]))),
  );
  expect(await on.calls(EXEC)).toBe(1);
});

test("a command that fails in EXEC is the error of its own transaction: others have their answers", async () => {
  await on.outside.rpush("list", "x");
  const occ = on.client();
  const outcomes = await Promise.all([
    outcome(occ.transact(["a"], add("a"))),
    outcome(occ.transact(["b"], (view) => ({ ...add("b")(view), commands: [["zadd", "list", 1, "m"]] }))),
    outcome(occ.transact(["a"], add("a"))),
  ]);
  expect([outcomes[0], outcomes[2]]).toEqual([1, 2]);
  expect(outcomes[1]).toBeInstanceOf(CommandFailedError);
  expect(outcomes[1]).toMatchObject({ unchanged: false, transient: false, retryable: false });
  expect(await on.json("b")).toBe(1);
});

test("a command that Redis refuses is the error of its own transaction, which changes nothing", async () => {
  const occ = on.client({ commit: "watch" });
  const outcomes = await Promise.all([
    outcome(occ.transact(["a"], add("a"))),
    outcome(occ.transact(["b"], (view) => ({ ...add("b")(view), commands: [["zadd", "board"]] }))),
    outcome(occ.transact(["c"], add("c"))),
  ]);
  expect([outcomes[0], outcomes[2]]).toEqual([1, 1]);
  expect(outcomes[1]).toMatchObject({ code: "server_refused", unchanged: true, transient: false });
  expect(await on.outside.exists("b")).toBe(0);
});

test.each<[Command]>([
  [["multi"]],
  [["EXEC"]],
  [["watch", "k"]],
  [["eval", "return 1", 0]],
  [["flushall"]],
  [["flushdb"]],
  [["select", 1]],
  [["subscribe", "news"]],
  [["set", "occ:marker:x", "1"]],
  [["del", "k", "occ:fence:x"]],
  [["zadd", "k", NaN, "m"]],
  [[] as unknown as Command],
  ["incr i" as unknown as Command],
])("%j is refused as a command of a rule", async (command) => {
  const error = await outcome(on.client().transact([], () => ({ result: 0, set: { k: 1 }, commands: [command] })));
  expect(error).toBeInstanceOf(TypeError);
  expect(await on.outside.exists("k")).toBe(0);
});

test("a command that this package does not know is sent as it is", async () => {
  const error = await outcome(on.client({ commit: "watch" }).transact([], () => with_(["json.set", "k", "$", "1"])));
  expect(error).toMatchObject({ code: "server_refused" });
});

test("the answer of an EXEC with commands is lost: that it ran is known, what became of them is not", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  await occ.transact(["n"], add("n"));
  const answer = outcome(occ.transact(["n"], (view) => ({ ...add("n")(view), commands: [["incr", "i"]] })));
  const held = await proxy.catchNext(EXEC);
  await held.deliver();
  held.cut();
  const error = await answer;
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect([await on.json("n"), await on.outside.get("i")]).toEqual([2, "1"]);
});

test("a hook is told of commands and times to live, and may refuse them", async () => {
  const told: unknown[] = [];
  const occ = on.client({
    hook: hookWith({
      prepare(_images, meta, beyond) {
        told.push(beyond);
        if (beyond !== undefined) throw new TypeError("not here");
        return meta;
      },
    }),
  });
  expect(await outcome(occ.transact([], () => with_(["incr", "i"])))).toEqual(new TypeError("not here"));
  await occ.transact([], () => ({ result: 0, set: { a: 1 } }));
  expect(told).toEqual([{ ttls: new Map(), commands: [["incr", "i"]] }, undefined]);
  expect(await on.outside.exists("i")).toBe(0);
});

describe("a hook that wants to know when keys end", () => {
  const told = (writes: readonly Write[]): unknown =>
    writes.map(({ images, ends }) => [Object.fromEntries(images), Object.fromEntries(ends ?? [])]);

  test.each([false, true])("is told, and Redis the same (a dedicated database: %s)", async (dedicated) => {
    const now = Date.now();
    await on.outside.set("kept", "0", "PX", 60_000);
    const end = await on.outside.pexpiretime("kept");
    const staged: unknown[] = [];
    const hook = hookWith({
      endsFrom: () => now,
      stage: (_session, writes) => (staged.push(...(told(writes) as [])), []),
    });
    const occ = on.client({ hook, dedicated });
    await Promise.all([
      occ.transact(["kept"], () => ({
        result: 0,
        set: { kept: 1, a: 1 },
        setWithTtl: { b: { value: 1, ttl: 90_000 } },
      })),
      occ.transact([], () => ({ result: 0, set: { b: 2, c: null }, setWithTtl: { kept: { value: 2, ttl: null } } })),
      occ.transact([], () => ({ result: 0, set: { b: null, kept: 3 } })),
      occ.transact([], () => ({ result: 0, set: { b: 4 } })),
      occ.transact([], () => ({
        result: 0,
        setWithTtl: { d: { value: 5, ttl: 1_000 }, c: { value: 5, ttl: 90_000 } },
      })),
    ]);
    expect(staged).toEqual([
      [
        { kept: "1", a: "1", b: "1" },
        { kept: end, b: now + 90_000 },
      ],
      [{ b: "2", c: null, kept: "2" }, { b: now + 90_000 }],
      [{ b: null, kept: "3" }, {}],
      [{ b: "4" }, {}],
      [
        { d: "5", c: "5" },
        { d: now + 1_000, c: now + 90_000 },
      ],
    ]);
    const ends = ["kept", "a", "b", "c", "d"].map((key) => on.outside.pexpiretime(key));
    expect(await Promise.all(ends)).toEqual([-1, -1, -1, now + 90_000, now + 1_000]);
  });

  test("and is not told of one that another client has changed since", async () => {
    await on.outside.set("kept", "0", "PX", 60_000);
    const proxy = await on.proxy();
    const staged: unknown[] = [];
    const hook = hookWith({
      endsFrom: () => Date.now(),
      stage: (_session, writes) => (staged.push(...(told(writes) as [])), []),
    });
    void beforeExec(proxy, () => on.outside.persist("kept"));
    await on.client({ url: proxy.url, hook }).transact([], () => ({ result: 0, set: { kept: 1 } }));
    expect(staged).toMatchObject([
      [{ kept: "1" }, { kept: expect.any(Number) as unknown }],
      [{ kept: "1" }, {}],
    ]);
    expect(await on.outside.pexpiretime("kept")).toBe(-1);
  });
});
