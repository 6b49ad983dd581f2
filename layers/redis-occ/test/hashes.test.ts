/** Rules change fields of hashes. */
import { describe, expect, test } from "@jest/globals";
import { DecodeError, fields, Occ, WrongTypeError, type Decision, type Fields, type View } from "../src/index.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";
import { beforeExec, outcome, stage } from "./support/stage.ts";

const on = stage();
const MINUTE = 60_000;

const put = (occ: Occ, decision: Omit<Decision<null>, "result">, keys: string[] = []): Promise<null> =>
  occ.transact(keys, () => ({ ...decision, result: null }));
const held = (key: string): Promise<Record<string, string>> => on.outside.hgetall(key);

test("fields are set, changed and removed, the others stay; a hash begins with its first field and is gone with its last one", async () => {
  const occ = on.client();
  await put(occ, { set: { cart: fields({ apple: 2, pear: { n: 1 }, note: "é" }), n: 1 } });
  expect(await held("cart")).toEqual({ apple: "2", pear: '{"n":1}', note: '"é"' });
  await put(
    occ,
    {
      set: [
        [
          "cart",
          fields([
            ["apple", 3],
            ["pear", null],
            ["none", null],
          ]),
        ],
      ],
    },
    ["cart"],
  );
  expect(await held("cart")).toEqual({ apple: "3", note: '"é"' });
  const seen = await occ.transact([], (view) => ({
    result: [view.fields("cart"), view.hash("cart"), view.fields("no")],
  }));
  expect(seen).toEqual([
    new Map<string, unknown>([
      ["apple", 3],
      ["note", "é"],
    ]),
    new Map([
      ["apple", "3"],
      ["note", '"é"'],
    ]),
    new Map(),
  ]);
  await put(occ, { set: { cart: fields({ apple: null, note: null }) } });
  expect(await on.outside.exists("cart")).toBe(0);
  await put(occ, { set: { cart: fields({ apple: null }), other: fields({}) } });
  expect(await on.outside.keys("[co][at]*")).toEqual([]);
});

test("null deletes all of a hash, declared or not; before fields it makes a new one of them, and the last word on a field counts", async () => {
  const occ = on.client();
  for (const keys of [[], ["h"]]) {
    await on.outside.hset("h", { a: "1", b: "2" });
    await put(occ, { set: { h: null } }, keys);
    expect(await on.outside.exists("h")).toBe(0);
  }
  await on.outside.hset("h", { a: "1", b: "2" });
  await put(occ, {
    set: [
      ["h", null],
      ["h", fields({ b: 3, c: 3 })],
      ["h", fields({ c: 4, d: null })],
    ],
  });
  expect(await held("h")).toEqual({ b: "3", c: "4" });
  await put(occ, {
    set: [
      ["h", fields({ a: 1 })],
      ["h", null],
    ],
  });
  expect(await on.outside.exists("h")).toBe(0);
});

test("what a field is called does not matter, nor how many there are", async () => {
  const occ = on.client();
  const all = Object.fromEntries(Array.from({ length: 6_000 }, (_, i) => [`f${i}`, i]));
  await put(occ, {
    set: {
      h: fields({ ...all, "": 1, 'a"b\n': 2 }),
      p: fields([
        ["__proto__", 1],
        ["constructor", 2],
      ]),
    },
  });
  expect(await on.outside.hlen("h")).toBe(6_002);
  await put(occ, { set: { h: fields(Object.keys(all).map((name) => [name, null] as const)) } });
  expect(await held("h")).toEqual({ "": "1", 'a"b\n': "2" });
  expect(await on.outside.hget("p", "__proto__")).toBe("1");
});

test("a key of another type is a WrongTypeError, whichever of both it is, declared or not, also within a decision", async () => {
  await on.outside.set("s", "1");
  await on.outside.zadd("z", 1, "a");
  await on.outside.hset("h", "a", "1");
  const occ = on.client();
  const calls = [
    put(occ, { set: { s: fields({ a: 1 }) } }),
    put(occ, { set: { s: fields({ a: 1 }) } }, ["s"]),
    put(occ, { set: { z: fields({ a: 1 }) } }),
    put(occ, { set: { h: 1 } }),
    put(occ, { set: { h: 1 } }, ["h"]),
    put(occ, {
      set: [
        ["k", 1],
        ["k", fields({ a: 1 })],
      ],
    }),
  ];
  const found = ["string", "string", "zset", "hash", "hash", "string"];
  for (const [i, call] of calls.entries()) {
    const error = await outcome(call);
    expect(error).toBeInstanceOf(WrongTypeError);
    expect(error).toMatchObject({ found: found[i] });
  }
  expect([await on.outside.get("s"), await held("h"), await on.outside.exists("k")]).toEqual(["1", { a: "1" }, 0]);
});

test("what another client makes of a hash meanwhile is no longer overwritten: the rule sees it", async () => {
  await on.outside.hset("h", "n", "1", "x", "1");
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const rule = (view: View): Decision<number> => {
    const n = (view.fields<number>("h").get("n") ?? 0) + 1;
    return { result: n, set: { h: fields({ n }) } };
  };
  await occ.transact(["h"], rule);
  const answer = occ.transact(["h"], rule);
  await beforeExec(proxy, () => on.outside.hset("h", "n", "10"));
  expect(await answer).toBe(11);
  // Also where the rule has not looked.
  const blind = put(occ, { set: { h: fields({ y: 1 }) } }, ["h"]);
  await beforeExec(proxy, () => on.outside.set("h", "a string"));
  expect(await outcome(blind)).toBeInstanceOf(WrongTypeError);
});

describe("in a group", () => {
  test("each goes on from what the one before it left, of a hash, of another type, of none", async () => {
    const occ = on.client();
    await put(occ, { set: { h: fields({ n: 1 }), s: 1 } });
    await on.outside.config("RESETSTAT");
    const count = (view: View): Decision<number> => {
      const n = (view.fields<number>("h").get("n") ?? 0) + 1;
      return { result: n, set: { h: fields({ n, [`was${n - 1}`]: n - 1 }) } };
    };
    const counted = await Promise.all(Array.from({ length: 5 }, () => occ.transact(["h"], count)));
    expect(counted).toEqual([2, 3, 4, 5, 6]);
    expect(await held("h")).toEqual({ n: "6", was1: "1", was2: "2", was3: "3", was4: "4", was5: "5" });
    // The first run asks for the hash, the second one reads it.
    expect(await on.calls(COMMIT_MODE === "script" ? "evalsha" : "exec")).toBe(1);
    const removed = Object.keys(await held("h")).map((name) => [name, null] as const);
    const answers = await Promise.all([
      outcome(put(occ, { set: { h: "text" } })),
      put(occ, { set: { h: fields(removed) } }),
      put(occ, { set: { h: fields({ a: 1 }) } }),
      put(occ, {
        set: [
          ["h", null],
          ["h", fields({ b: 1 })],
        ],
      }),
      put(occ, { set: { h: fields({ c: 1 }) } }),
    ]);
    expect(answers[0]).toBeInstanceOf(WrongTypeError);
    expect(await held("h")).toEqual({ b: "1", c: "1" });
    await Promise.all([put(occ, { set: { h: null } }, ["h"]), put(occ, { set: { h: "text" } }, ["h"])]);
    expect(await on.json("h")).toBe("text");
  });

  test("one that fails drops out alone", async () => {
    const occ = on.client();
    const answers = await Promise.all([
      put(occ, { set: { h: fields({ a: 1 }) } }, ["h"]),
      outcome(put(occ, { set: { h: fields({ a: 2, b: NaN }) } }, ["h"])),
      put(occ, { set: { h: fields({ c: 3 }) } }, ["h"]),
    ]);
    expect(answers[1]).toBeInstanceOf(TypeError);
    expect(await held("h")).toEqual({ a: "1", c: "3" });
  });
});

test("a hash keeps its time to live while fields come and go, and is given another one by setWithTtl", async () => {
  const occ = on.client();
  await put(occ, { setWithTtl: { h: { value: fields({ a: 1 }), ttl: MINUTE } } });
  const ttl = await on.outside.pttl("h");
  expect(ttl).toBeGreaterThan(MINUTE / 2);
  await put(occ, { set: { h: fields({ a: null, b: 1 }) } });
  expect(await on.outside.pttl("h")).toBeGreaterThan(MINUTE / 2);
  await put(occ, {
    setWithTtl: { h: { value: fields({}), ttl: 10 * MINUTE }, none: { value: fields({}), ttl: MINUTE } },
  });
  expect(await on.outside.pttl("h")).toBeGreaterThan(9 * MINUTE);
  expect(await on.outside.exists("none")).toBe(0);
  await put(occ, { setWithTtl: { h: { value: fields({ c: 1 }), ttl: null } } });
  expect([await on.outside.pttl("h"), await held("h")]).toEqual([-1, { b: "1", c: "1" }]);
  // In a group: one that is deleted and made anew has none.
  await put(occ, { setWithTtl: { h: { value: fields({}), ttl: MINUTE } } });
  await Promise.all([
    put(occ, { set: { h: fields({ b: null, c: null }) } }, ["h"]),
    put(occ, { set: { h: fields({ d: 1 }) } }, ["h"]),
  ]);
  expect([await on.outside.pttl("h"), await held("h")]).toEqual([-1, { d: "1" }]);
});

test.each<[what: string, value: unknown, message: string]>([
  ["no JSON form", () => fields({ b: { c: NaN } }), "the field b of h"],
  ["null in JSON", () => fields({ b: { toJSON: () => null } }), "the field b of h"],
  ["a name that is no text", () => fields({ "\ud800": 1 }), "of h"],
  ["a name that is a number", () => fields([[1 as never, 1]]), "of h"],
  ["fields within a value", () => ({ part: fields({ a: 1 }) }), "of h"],
  ["fields within a field", () => fields({ b: fields({ a: 1 }) }), "the field b of h"],
  ["no fields", () => fields("ab" as never), "fields must be"],
])("%s is refused by key and field, and nothing is written", async (_, make, message) => {
  const occ = on.client();
  const error = await outcome(occ.transact([], () => ({ result: 0, set: { a: 1, h: (make as () => unknown)() } })));
  expect(error).toMatchObject({ name: "TypeError", message: expect.stringContaining(message) as unknown });
  expect(await on.outside.exists("a", "h")).toBe(0);
});

test("a dedicated database has no hashes; a field that some other program wrote is told by its key", async () => {
  expect(await outcome(put(on.client({ dedicated: true }), { set: { h: fields({ a: 1 }) } }))).toBeInstanceOf(
    TypeError,
  );
  await on.outside.hset("h", "a", "no JSON");
  const reading = on.client().transact(["h"], (view) => ({ result: view.fields("h") }));
  expect(await outcome(reading)).toBeInstanceOf(DecodeError);
});

test("the types of fields follow from the key map", async () => {
  await using occ = new Occ<{ "cart:*": Fields<number>; total: number }>({ url: on.redis.url, commit: COMMIT_MODE });
  const left = await occ.transact(["cart:7"], (view) => {
    const cart: ReadonlyMap<string, number> = view.fields("cart:7");
    const apples = cart.get("apple") ?? 0;
    // @ts-expect-error no such value of a field
    const wrong: Fields<number> = fields({ apple: "2" });
    void wrong;
    return { result: apples, set: { "cart:7": fields({ apple: apples + 2, pear: null }), total: 1 } };
  });
  expect(left).toBe(0);
  expect(await held("cart:7")).toEqual({ apple: "2" });
});
