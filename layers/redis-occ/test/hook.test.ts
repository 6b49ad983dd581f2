import { expect, test } from "@jest/globals";
import { ClosedError, OutcomeUnknownError, RolledBackError, ServerRefusedError, TimeoutError } from "../src/index.ts";
import { add, beforeExec, gate, hookWith, outcome, plain, refuse, stage, until } from "./support/stage.ts";

const on = stage();

test("check judges the watched values, in their order; its session goes to the later calls; what it stages runs in the MULTI after the writes", async () => {
  await on.outside.mset("guard", "g", "other", "o");
  const calls: unknown[] = [];
  const hook = hookWith<{ id: number }>({
    watch: ["guard", "other", "none"],
    check: (values) => (calls.push(["check", values]), { id: calls.length }),
    stage: (session, writes) => (
      calls.push(["stage", session.id, plain(writes)]),
      [
        ["append", "a", "!"],
        ["strlen", "a"],
      ]
    ),
    executed: async (session, writes, replies) => {
      calls.push(["executed", session.id, plain(writes), replies]);
    },
  });
  const occ = on.client({ hook });
  await Promise.all([
    occ.transact(["a"], () => ({ result: 0, set: { a: 1, b: null } }), { meta: { op: "first" } }),
    outcome(occ.transact(["a"], () => refuse("no"), { meta: "never seen" })),
    occ.transact(["a"], () => ({ result: 0, set: { a: 22 } })),
  ]);
  const writes = [
    { images: { a: "1", b: null }, meta: { op: "first" } },
    { images: { a: "22" }, meta: undefined },
  ];
  expect(calls).toEqual([
    ["check", ["g", "o", null]],
    ["stage", 1, writes],
    ["executed", 1, writes, [3, 3]],
  ]);
  expect(await on.outside.get("a")).toBe("22!");
});

test("prepare sees each write by itself: it makes the meta of later calls, and what it throws is that transaction's own", async () => {
  const seen: unknown[] = [];
  const hook = hookWith({
    prepare: (images, meta) => {
      if (meta === "bad") throw new RangeError("bad");
      return [meta, ...images.keys()];
    },
    stage: (_session, writes) => (seen.push(...writes.map(({ meta }) => meta)), []),
  });
  const occ = on.client({ hook });
  const answers = ["one", "bad", "two"].map((meta) => outcome(occ.transact(["a"], add("a"), { meta })));
  expect(await Promise.all(answers)).toEqual([1, new RangeError("bad"), 2]);
  expect(seen).toEqual([
    ["one", "a"],
    ["two", "a"],
  ]);
});

test("a group in which every rule refused asks the hook too, with no writes, and its refusals wait for it", async () => {
  const firm = gate();
  const seen: unknown[] = [];
  const hook = hookWith({
    stage: (_session, writes) => (seen.push(writes.length), [["incr", "asked"]]),
    executed: (_session, writes, replies) => (seen.push(writes.length, replies), firm.promise),
  });
  let ended = false;
  const answer = outcome(on.client({ hook }).transact(["a"], () => refuse("no"))).finally(() => (ended = true));
  await until(() => seen.length === 3);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ended).toBe(false);
  firm.open();
  expect(await answer).toEqual(new Error("no"));
  expect(seen).toEqual([0, 0, [1]]);
});

test("a watched key of the hook that changes is a conflict like any other", async () => {
  const proxy = await on.proxy();
  void beforeExec(proxy, () => on.outside.set("guard", "new"));
  const guards: unknown[] = [];
  const hook = hookWith({ watch: ["guard"], check: ([guard]) => (guards.push(guard), true) });
  await on.client({ url: proxy.url, hook }).transact(["a"], add("a"));
  expect(guards).toEqual([null, "new"]);
  expect(await on.json("a")).toBe(1);
});

test("the probe's keys are fetched with the watched ones, and its commands are asked, of each transaction and read; a probed key that changes is no conflict", async () => {
  await on.outside.mset("guard", "g", "place", "7", "n", "1");
  const proxy = await on.proxy();
  const seen: unknown[] = [];
  const hook = hookWith({
    watch: ["guard"],
    probe: () => ({ keys: ["place", "none"], commands: [["strlen", "guard"]] }),
    check: (values, _connection, replies) => (seen.push([...values, ...replies]), true),
  });
  const occ = on.client({ url: proxy.url, hook });
  void beforeExec(proxy, () => on.outside.set("place", "8"));
  expect(await occ.transact(["n"], add("n"))).toBe(2);
  expect(await occ.read(["n"])).toEqual([2]);
  expect(await occ.query([["get", "n"]])).toEqual(["2"]);
  const later = ["g", "8", null, 1];
  expect(seen).toEqual([["g", "7", null, 1], later, later]);
});

test("what check misses is restored first: no rule has run and nothing was written on the missing state", async () => {
  let restored = 0;
  const hook = hookWith({
    watch: ["guard"],
    check: ([guard]) => (guard === "here" ? true : null),
    async restore() {
      restored++;
      await on.outside.mset("guard", "here", "n", "41");
    },
  });
  const occ = on.client({ hook });
  let runs = 0;
  expect(await occ.transact(["n"], (view) => (runs++, add("n")(view)))).toBe(42);
  expect([runs, restored]).toEqual([1, 1]);
  await on.outside.del("guard");
  expect(await occ.read(["n"])).toEqual([41]);
  await on.outside.del("guard");
  expect(await occ.transactAlone(["n"], add("n"))).toBe(42);
  await on.outside.del("guard");
  expect(await occ.query([["get", "n"]])).toEqual(["41"]);
  expect(restored).toBe(4);
});

test("callers that cannot wait for a restore leave by their timeout; one that fails is everybody's error; one that brings nothing does not spin", async () => {
  let restores = 0;
  const slow = on.client({
    hook: hookWith({ check: () => null, restore: () => new Promise(() => restores++) }),
    timeout: 100,
  });
  expect(await outcome(slow.transact(["n"], add("n")))).toBeInstanceOf(TimeoutError);
  expect(await outcome(slow.read(["n"]))).toBeInstanceOf(TimeoutError);

  const damage = new Error("damaged");
  const failing = on.client({ hook: hookWith({ check: () => null, restore: () => Promise.reject(damage) }) });
  expect(await outcome(failing.transact(["n"], add("n")))).toBe(damage);
  expect(await outcome(failing.read(["n"]))).toBe(damage);

  restores = 0;
  const useless = on.client({
    hook: hookWith({ check: () => null, restore: () => Promise.resolve().then(() => void restores++) }),
    timeout: 500,
  });
  expect(await outcome(useless.transact(["n"], add("n")))).toBeInstanceOf(TimeoutError);
  expect(await outcome(useless.read(["n"]))).toBeInstanceOf(TimeoutError);
  expect(restores).toBeLessThan(200);
  expect(await on.outside.exists("n")).toBe(0);
});

test("an error of check or stage is the error of the whole group, and nothing was changed", async () => {
  const damage = new Error("foreign state");
  const reject = (): never => {
    throw damage;
  };
  for (const hook of [
    hookWith({ check: reject }),
    hookWith({ stage: reject }),
    hookWith({ check: () => Promise.reject(damage) }),
  ]) {
    expect(await outcome(on.client({ hook }).transact(["n"], add("n")))).toBe(damage);
  }
  expect(await outcome(on.client({ hook: hookWith({ check: reject }) }).read(["n"]))).toBe(damage);
  expect(await on.outside.exists("n")).toBe(0);
});

test("a group begins once idle() lets it, and whoever comes meanwhile joins it", async () => {
  const free = gate();
  let asked = 0;
  const sizes: number[] = [];
  const occ = on.client({
    hook: hookWith({
      idle: () => (asked++ === 0 ? Promise.resolve() : free.promise),
      executed: (_session, writes) => (sizes.push(writes.length), Promise.resolve()),
    }),
  });
  expect(await occ.transact(["n"], add("n"))).toBe(1);
  const second = occ.transact(["n"], add("n"));
  await until(() => asked === 2);
  const third = occ.transact(["n"], add("n"));
  expect(sizes).toEqual([1]);
  free.open();
  expect(await Promise.all([second, third])).toEqual([2, 3]);
  expect(sizes).toEqual([1, 2]);
});

test("results wait for executed(), and meanwhile the next group is under way", async () => {
  const gates = [gate(), gate()];
  let executed = 0;
  const hook = hookWith({ executed: () => gates[executed++]?.promise ?? Promise.resolve() });
  const occ = on.client({ hook });
  const answered: string[] = [];
  const first = occ.transact(["n"], add("n")).then((n) => answered.push(`first ${n}`));
  await until(() => executed === 1);
  const second = occ.transact(["n"], add("n")).then((n) => answered.push(`second ${n}`));
  await until(() => executed === 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toEqual([]);
  gates[1]?.open();
  await second;
  gates[0]?.open();
  await first;
  expect(answered).toEqual(["second 2", "first 1"]);
});

test("executed() is called in the order in which the EXECs ran", async () => {
  const order: unknown[] = [];
  const hook = hookWith({
    stage: (_session, writes) => writes.map(() => ["incr", "sequence"] as const),
    executed: async (_session, _writes, replies) => {
      order.push(...replies);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    },
  });
  const occ = on.client({ hook });
  for (let i = 0; i < 20; i++) {
    const burst = Array.from({ length: 10 }, () => occ.transact(["n"], add("n")));
    if (i % 3 === 0) await Promise.all(burst);
    else await burst[0];
  }
  await until(() => order.length === 200);
  expect(order).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});

test("executed() fails: the outcome is unknown, whatever it fails with, now or later", async () => {
  const problem = new Error("disk full");
  const failures: (() => Promise<void>)[] = [
    () => Promise.reject(problem),
    () => refuse("at once"),
    () => Promise.reject(new TimeoutError("retryable, it would say")),
    () => Promise.reject(new ServerRefusedError("nothing was changed, it would say")),
  ];
  for (const executed of failures) {
    const error = await outcome(on.client({ hook: hookWith({ executed }) }).transact(["n"], add("n")));
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    expect((error as Error).cause).toBeInstanceOf(Error);
  }
  expect(await on.json("n")).toBe(failures.length);
});

test("RolledBackError from executed(): the group starts over on the state that is there now", async () => {
  let executed = 0;
  const hook = hookWith({
    async executed() {
      if (executed++ > 0) return;
      await on.outside.set("n", "100");
      throw new RolledBackError("undone");
    },
  });
  const occ = on.client({ hook });
  expect(await Promise.all([occ.transact(["n"], add("n")), occ.transact(["n"], add("n"))])).toEqual([101, 102]);
  expect(executed).toBe(2);
});

test("a caller whose deadline passes while executed() is pending gets OutcomeUnknownError; after a RolledBackError its transaction is not run again", async () => {
  const firm = gate();
  let executed = 0;
  const occ = on.client({ hook: hookWith({ executed: () => (executed++ === 0 ? firm.promise : Promise.resolve()) }) });
  expect(await outcome(occ.transact(["n"], add("n"), { timeout: 80 }))).toBeInstanceOf(OutcomeUnknownError);
  firm.break(new RolledBackError("undone"));
  expect(await occ.transact(["n"], add("n"))).toBe(2);
  expect(executed).toBe(2);
});

test("a read fetches the hook's keys and commands in its own MULTI, and waits for observed()", async () => {
  await on.outside.mset("guard", "g", "a", "1", "b", "2");
  const firm = gate();
  const seen: unknown[] = [];
  const hook = hookWith<string>({
    watch: ["guard"],
    check: ([guard]) => `session ${guard}`,
    readCommands: () => [["strlen", "a"]],
    observed: (session, keys, replies) => (
      seen.push([session, keys, replies]),
      keys.includes("b") ? firm.promise : Promise.resolve()
    ),
  });
  const occ = on.client({ hook });
  let ended = false;
  const waiting = occ.read(["a", "b"]).finally(() => (ended = true));
  expect(await occ.read(["a"])).toEqual([1]);
  expect(ended).toBe(false);
  firm.open();
  expect(await waiting).toEqual([1, 2]);
  expect(await occ.query([["get", "a"]])).toEqual(["1"]);
  expect(seen).toEqual([
    ["session g", ["a", "b"], [1]],
    ["session g", ["a"], [1]],
    ["session g", [], [1]],
  ]);
  expect(await on.calls("exec")).toBe(2);
});

test("RolledBackError from observed(): it is read again; any other error is that read's alone", async () => {
  await on.outside.mset("a", "1", "b", "2");
  let observed = 0;
  const hook = hookWith({
    async observed(_session, keys) {
      if (keys[0] === "b") return refuse("not b");
      if (observed++ > 0) return;
      await on.outside.set("a", "10");
      throw new RolledBackError("undone");
    },
  });
  const occ = on.client({ hook });
  const [a, b] = await Promise.all([occ.read(["a"]), outcome(occ.read(["b"]))]);
  expect(a).toEqual([10]);
  expect(b).toEqual(new Error("not b"));
});

test("a command of the hook that fails in a read is an error, not a reply", async () => {
  await on.outside.set("a", "1");
  const hook = hookWith({
    readCommands: () => [["xrange", "a", "-", "+"]],
    observed: () => refuse("must not be asked"),
  });
  expect(await outcome(on.client({ hook }).read(["a"]))).toBeInstanceOf(ServerRefusedError);
});

test("close() while executed() is pending: the answer is still the hook's to give", async () => {
  const firm = gate();
  let executed = false;
  const occ = on.client({ hook: hookWith({ executed: () => ((executed = true), firm.promise) }) });
  const answer = occ.transact(["n"], add("n"));
  await until(() => executed);
  await occ.close();
  expect(await outcome(occ.transact(["n"], add("n")))).toBeInstanceOf(ClosedError);
  firm.open();
  expect(await answer).toBe(1);
});
