import { createHook } from "node:async_hooks";
import { expect, test } from "@jest/globals";
import { EXEC } from "./support/commit-mode.ts";
import { add, outcome, stage } from "./support/stage.ts";

const on = stage();

test("a transaction returns its result and writes what its rule decided", async () => {
  const occ = on.client();
  const result = await occ.transact(["a", "b"], (view) => ({
    result: view.get("a"),
    set: { a: { n: 1 }, b: [1, "x", null] },
  }));
  expect(result).toBeNull();
  expect(await on.json("a")).toEqual({ n: 1 });
  expect(await occ.read(["b", "a", "c"])).toEqual([[1, "x", null], { n: 1 }, null]);
});

test("what a rule sets may be pairs: written in their order, of which the last one of a key counts", async () => {
  const occ = on.client();
  const pairs = new Map<string, unknown>([
    ["a", { n: 1 }],
    ["b", 2],
    ["c", 3],
  ]);
  await occ.transact(["a"], () => ({ result: 0, set: pairs }));
  await occ.transact(["a"], () => ({
    result: 0,
    set: [
      ["c", null],
      ["b", 4],
      ["b", 5],
    ],
  }));
  expect(await occ.read(["a", "b", "c"])).toEqual([{ n: 1 }, 5, null]);
});

test("null deletes a key", async () => {
  const occ = on.client();
  await occ.transact(["a"], () => ({ result: 0, set: { a: 1 } }));
  await occ.transact(["a"], () => ({ result: 0, set: { a: null } }));
  expect(await on.outside.exists("a")).toBe(0);
});

test("a transaction of thousands of keys writes and deletes each of them", async () => {
  const occ = on.client();
  const keys = Array.from({ length: 12_000 }, (_, i) => `k${i}`);
  await occ.transactAlone([], () => ({ result: 0, set: Object.fromEntries(keys.map((key, i) => [key, i])) }));
  expect(await occ.read(keys)).toEqual(keys.map((_, i) => i));
  await occ.transactAlone([], () => ({ result: 0, set: Object.fromEntries(keys.map((key) => [key, null])) }));
  expect(await on.outside.exists(...keys)).toBe(0);
});

test("a rule that throws drops out of its group alone, with its own error", async () => {
  const occ = on.client();
  const refusal = new Error("sold out");
  const outcomes = await Promise.all([
    outcome(occ.transact(["a"], add("a"))),
    outcome(
      occ.transact(["a"], () => {
        throw refusal;
      }),
    ),
    outcome(occ.transact(["a"], add("a"))),
  ]);
  expect(outcomes).toEqual([1, refusal, 2]);
  expect(outcomes[1]).toBe(refusal);
  expect(await on.calls(EXEC)).toBe(1);
});

test("a rule that writes nothing has its result and changes nothing", async () => {
  const occ = on.client();
  expect(await occ.transact(["a"], () => ({ result: "no" }))).toBe("no");
  expect(await on.outside.exists("a")).toBe(0);
});

test("each rule of a group sees what the ones before it decided, and only the last image is written", async () => {
  const occ = on.client();
  const seen = await Promise.all(Array.from({ length: 20 }, () => occ.transact(["n"], add("n"))));
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(await on.calls(EXEC)).toBe(1);
  // The marker, and the last image.
  expect(await on.calls("set")).toBe(2);
});

test("a key deleted in a group is gone for the rules after it, and one written again is back", async () => {
  const occ = on.client();
  await on.outside.set("a", "1");
  const seen = await Promise.all([
    occ.transact(["a"], (view) => ({ result: view.get("a"), set: { a: null } })),
    occ.transact(["a"], (view) => ({ result: view.get("a"), set: { a: 7 } })),
    occ.transact(["a"], (view) => ({ result: view.get("a") })),
  ]);
  expect(seen).toEqual([1, null, 7]);
  expect(await on.json("a")).toBe(7);
});

test("an undeclared key is fetched and watched before the rule's decision counts, even where the rule swallows that", async () => {
  const occ = on.client();
  await on.outside.mset("a", '"b"', "b", "5");
  const follow = (view: { get<T>(key: string): T | null }) => {
    let value: number | null = -1;
    try {
      value = view.get<number>(view.get<string>("a") ?? "");
    } catch {
      // A rule ought not to do that.
    }
    return { result: value };
  };
  expect(await occ.transact([], follow)).toBe(5);
  expect(await Promise.all([occ.transact(["b"], add("b")), occ.transact(["a"], follow)])).toEqual([6, 6]);
});

test("what a rule gets is its own: changing it reaches neither other rules nor later calls", async () => {
  const occ = on.client();
  await on.outside.set("a", '{"list":[1]}');
  const spoil = (view: { get<T>(key: string): T | null }) => {
    view.get<{ list: number[] }>("a")?.list.push(2);
    return { result: view.get<{ list: number[] }>("a") };
  };
  const results = await Promise.all([occ.transact(["a"], spoil), occ.transact(["a"], spoil), occ.read(["a"])]);
  expect(results).toEqual([{ list: [1] }, { list: [1] }, [{ list: [1] }]]);
  expect(results[0]).not.toBe(results[1]);
});

test("what a rule decided is taken at once: changing the object later changes nothing", async () => {
  const occ = on.client();
  const value = { n: 1 };
  const written = occ.transact(["a"], () => ({ result: 0, set: { a: value } }));
  await written;
  value.n = 2;
  expect(await on.json("a")).toEqual({ n: 1 });
});

test("a value without a JSON form is refused, and so is an asynchronous rule; others of the group go on", async () => {
  const occ = on.client();
  const asynchronous = (async () => {
    await Promise.resolve();
    throw new Error("nobody hears this");
  }) as unknown as () => { result: number };
  const outcomes = await Promise.all([
    outcome(occ.transact(["a"], () => ({ result: 0, set: { a: undefined } }))),
    outcome(occ.transact(["a"], () => ({ result: 0, set: { a: NaN } }))),
    outcome(occ.transact(["a"], asynchronous)),
    outcome(occ.transact(["b"], add("b"))),
  ]);
  expect(outcomes).toEqual([expect.any(TypeError), expect.any(TypeError), expect.any(TypeError), 1]);
  expect(await on.outside.exists("a")).toBe(0);
});

test("a hot key inside one process costs no conflict: 500 transactions, no EXEC in vain", async () => {
  const occ = on.client();
  const rules: number[] = [];
  const results = await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      occ.transact(["hot"], (view) => {
        rules.push(i);
        return add("hot")(view);
      }),
    ),
  );
  expect(new Set(results).size).toBe(500);
  expect(await on.json("hot")).toBe(500);
  expect(rules).toHaveLength(500);
  expect(await on.calls(EXEC)).toBe(2);
});

test("a group costs two round trips, however many transactions are in it", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  await occ.transact(["a"], add("a"));
  proxy.roundTrips = 0;
  await Promise.all(Array.from({ length: 50 }, (_, i) => occ.transact(["a", `b${i}`], add(`b${i}`))));
  expect(proxy.roundTrips).toBe(2);
});

test("transactions that come while a group is under way wait for the next one and share it", async () => {
  const occ = on.client();
  const first = occ.transact(["a"], add("a"));
  await new Promise(setImmediate);
  const others = Array.from({ length: 30 }, () => occ.transact(["a"], add("a")));
  await Promise.all([first, ...others]);
  expect(await on.json("a")).toBe(31);
  expect(await on.calls(EXEC)).toBe(2);
});

test("a transaction that is alone waits for no timer", async () => {
  const occ = on.client();
  await occ.transact(["a"], add("a"));
  const timers = new Set<number>();
  let fired = 0;
  const hook = createHook({
    init: (id, type) => type === "Timeout" && timers.add(id),
    before: (id) => timers.has(id) && fired++,
  });
  hook.enable();
  for (let i = 0; i < 5; i++) await occ.transact(["a"], add("a"));
  hook.disable();
  expect(timers.size).toBeGreaterThan(0);
  expect(fired).toBe(0);
});

test("a transaction leaves no timer behind, whether it succeeds, refuses or is refused", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const occ = on.client({ timeout: 60_000, roundTripTimeout: 50_000 });
  await occ.transact(["a"], add("a"));
  const before = timers();
  await Promise.all([
    occ.transact(["a"], add("a")),
    occ.read(["a"]),
    outcome(occ.query([["incr", "a", "too", "many"]])),
    outcome(
      occ.transactAlone(["a"], () => {
        throw new Error("no");
      }),
    ),
  ]);
  expect(timers()).toBe(before);
});

test("a transaction alone on its connection follows the same rules", async () => {
  const occ = on.client();
  const results = await Promise.all(Array.from({ length: 5 }, () => occ.transactAlone(["a"], add("a"))));
  expect([...results].sort()).toEqual([1, 2, 3, 4, 5]);
  expect(await on.json("a")).toBe(5);
});

test("a key that is not well-formed text is refused wherever it comes from: Redis would take it for another one", async () => {
  const client = on.client();
  await client.transact([], () => ({ result: null, set: { "k:\uFFFD": 1 } }));
  const lone = "k:\uD800";
  for (const use of [
    () => client.transact([lone], () => ({ result: null })),
    () => client.transact([], () => ({ result: null, set: { [lone]: 2 } })),
    () => client.transact([], (view) => ({ result: view.get(lone) })),
    () => client.transactAlone([], () => ({ result: null, set: [[lone, 2]] })),
    () => client.read([lone]),
  ])
    expect(await outcome(use())).toBeInstanceOf(TypeError);
  expect(await on.json("k:\uFFFD")).toBe(1);
  expect(await client.transact([], () => ({ result: null, set: { "k:🦊": { text: lone } } }))).toBeNull();
  expect(await client.read(["k:🦊"])).toEqual([{ text: lone }]);
});
