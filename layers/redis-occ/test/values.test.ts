import { expect, test } from "@jest/globals";
import { DecodeError, WrongTypeError, type Codec } from "../src/index.ts";
import { add, beforeExec, outcome, stage } from "./support/stage.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";

const on = stage();

test("a key keeps the time that it has to live", async () => {
  const occ = on.client();
  await on.outside.set("n", "1", "PX", 60_000);
  expect(await occ.transact(["n"], add("n"))).toBe(2);
  expect(await on.outside.pttl("n")).toBeGreaterThan(50_000);
  await Promise.all([occ.transact(["n"], add("n")), occ.transact(["n"], add("n"))]);
  expect(await on.outside.pttl("n")).toBeGreaterThan(50_000);
});

test("setWithTtl sets the time to live, changes it, and takes it away", async () => {
  const occ = on.client();
  const set = (ttl: number | null) => occ.transact([], () => ({ result: 0, setWithTtl: { s: { value: "v", ttl } } }));
  await set(60_000);
  expect(await on.json("s")).toBe("v");
  expect(await on.outside.pttl("s")).toBeGreaterThan(50_000);
  await set(5_000);
  expect(await on.outside.pttl("s")).toBeLessThanOrEqual(5_000);
  await set(null);
  expect(await on.outside.pttl("s")).toBe(-1);
});

test("within a group the last word on a time to live counts: a set keeps it, a deletion ends it", async () => {
  const occ = on.client();
  await Promise.all([
    occ.transact(["a"], () => ({
      result: 0,
      setWithTtl: { a: { value: 1, ttl: 60_000 }, b: { value: 1, ttl: 60_000 } },
    })),
    occ.transact(["a"], add("a")),
    occ.transact(["b"], () => ({ result: 0, set: { b: null } })),
    occ.transact(["b"], add("b")),
  ]);
  expect(await occ.read(["a", "b"])).toEqual([2, 1]);
  expect(await on.outside.pttl("a")).toBeGreaterThan(50_000);
  expect(await on.outside.pttl("b")).toBe(-1);
});

test.each([0, -1, 1.5, NaN, "60", undefined])(
  "a time to live of %p is refused, and nothing is written",
  async (ttl) => {
    const setWithTtl = { s: { value: "v", ttl: ttl as number } };
    expect(await outcome(on.client().transact([], () => ({ result: 0, setWithTtl })))).toBeInstanceOf(TypeError);
    expect(await on.outside.exists("s")).toBe(0);
  },
);

const others: [type: string, make: () => Promise<unknown>][] = [
  ["hash", () => on.outside.hset("k", "f", "v")],
  ["list", () => on.outside.rpush("k", "v")],
  ["zset", () => on.outside.zadd("k", 1, "v")],
  ["set", () => on.outside.sadd("k", "v")],
  ["stream", () => on.outside.xadd("k", "*", "f", "v")],
];

test.each(others)(
  "a %s is neither read as missing nor overwritten, nor deleted unless a rule can make one",
  async (type, make) => {
    await make();
    const occ = on.client();
    const calls = [
      occ.transact(["k"], (view) => ({ result: view.get("k") })),
      occ.transact(["k"], () => ({ result: 0, set: { k: 1 } })),
      ...(type === "hash" ? [] : [occ.transact(["k"], () => ({ result: 0, set: { k: null } }))]),
      occ.transact([], () => ({ result: 0, set: { k: 1 } })),
      occ.transactAlone([], () => ({ result: 0, setWithTtl: { k: { value: 1, ttl: 1_000 } } })),
      occ.read(["k"]),
      occ.read(["other", "k"]),
    ];
    const [good, fine] = [occ.transact(["n"], add("n")), occ.read(["n"])];
    for (const call of calls) {
      const error = await outcome(call);
      expect(error).toBeInstanceOf(WrongTypeError);
      expect(error).toMatchObject({ key: "k", found: type, unchanged: true, transient: false });
      expect((error as Error).message).toContain("k ");
    }
    expect([await good, (await fine).length]).toEqual([1, 1]);
    expect(await on.outside.type("k")).toBe(type);
  },
);

test("a key that becomes a hash between the read and the write is a conflict, and then refused", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  await occ.transact(["warm"], add("warm"));
  const answer = outcome(occ.transact(["k"], add("k")));
  await beforeExec(proxy, () => on.outside.hset("k", "f", "v"));
  expect(await answer).toBeInstanceOf(WrongTypeError);
  expect(await on.outside.hgetall("k")).toEqual({ f: "v" });
});

test("a dedicated database saves the looks: one MSET for a group, no EXISTS", async () => {
  const occ = on.client({ dedicated: true });
  await Promise.all(["a", "b", "c"].map((key) => occ.transact([key], add(key))));
  await occ.read(["a", "b"]);
  expect(await on.calls("mset")).toBe(1);
  // The script looks for its fence by EXISTS.
  expect(await on.calls("exists")).toBe(COMMIT_MODE === "script" ? 1 : 0);
});

test("a text of some other program is a DecodeError that names the key", async () => {
  const occ = on.client();
  await on.outside.set("k", "no json");
  for (const call of [occ.transact(["k"], (view) => ({ result: view.get("k") })), occ.read(["k"])]) {
    const error = await outcome(call);
    expect(error).toBeInstanceOf(DecodeError);
    expect(error).toMatchObject({
      key: "k",
      unchanged: true,
      transient: false,
      cause: expect.any(SyntaxError) as unknown,
    });
  }
  await occ.transact(["k"], () => ({ result: 0, set: { k: "mended" } }));
  expect(await occ.read(["k"])).toEqual(["mended"]);
});

class Seat {
  holder = "ann";
  toString(): string {
    return this.holder;
  }
}

test.each<[string, unknown]>([
  ["NaN", NaN],
  ["NaN in an object", { a: NaN }],
  ["Infinity in an array in an object", { a: [1, { b: -Infinity }] }],
  ["a Map", new Map([["a", 1]])],
  ["a Map in an object", { a: { b: new Map() } }],
  ["a Set in an array", [new Set([1])]],
  ["a BigInt", 1n],
  ["a BigInt in an object", { a: 1n }],
  ["a function", () => 1],
  ["a function in an object", { a: 1, f: () => 1 }],
  ["a symbol in an object", { a: Symbol("a") }],
  ["undefined", undefined],
  ["undefined in an array", [undefined]],
  ["a typed array", { bytes: new Uint8Array(2) }],
  ["a RegExp", { r: /x/ }],
  ["an Error", new Error("e")],
  ["a promise", { p: Promise.resolve(1) }],
  ["what a toJSON makes of it", { d: { toJSON: () => NaN } }],
  ["a date that is none", new Date(NaN)],
])("%s is refused with a TypeError that names the key", async (_name, value) => {
  const occ = on.client();
  const error = await outcome(occ.transact(["k"], () => ({ result: 0, set: { k: value } })));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain("k ");
  expect(await on.outside.exists("k")).toBe(0);
});

test("a circle is refused with a TypeError that names the key", async () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const error = await outcome(on.client().transact([], () => ({ result: 0, set: { k: circle } })));
  expect(error).toMatchObject({ name: "TypeError", message: expect.stringContaining("k ") as unknown });
});

test("what JSON has, a class of one's own, a date and an absent member are taken", async () => {
  const occ = on.client();
  const value = {
    a: [0, -1.5, "x", true, null],
    b: { c: undefined },
    d: new Date(0),
    s: new Seat(),
    o: Object.create(null) as object,
  };
  await occ.transact([], () => ({ result: 0, set: { k: value } }));
  expect(await on.json("k")).toEqual({
    a: [0, -1.5, "x", true, null],
    b: {},
    d: "1970-01-01T00:00:00.000Z",
    s: { holder: "ann" },
    o: {},
  });
});

test("a codec takes the place of JSON, in rules and reads", async () => {
  const upper: Codec = { encode: (value) => `<${String(value)}>`, decode: (text) => text.slice(1, -1) };
  const occ = on.client({ codec: upper });
  await occ.transact(["k"], () => ({ result: 0, set: { k: "v" } }));
  expect(await on.outside.get("k")).toBe("<v>");
  expect(await occ.transact(["k"], (view) => ({ result: view.get("k") }))).toBe("v");
  expect(await occ.read(["k"])).toEqual(["v"]);
});

test("a codec that fails is the error of its key", async () => {
  const broken: Codec = {
    encode: () => {
      throw new Error("cannot write");
    },
    decode: () => {
      throw new Error("cannot read");
    },
  };
  const occ = on.client({ codec: broken });
  await on.outside.set("k", "v");
  expect(await outcome(occ.read(["k"]))).toMatchObject({ code: "undecodable", key: "k" });
  const error = await outcome(occ.transact([], () => ({ result: 0, set: { k: 1 } })));
  expect(error).toMatchObject({ name: "TypeError", message: expect.stringContaining("cannot write") as unknown });
});
