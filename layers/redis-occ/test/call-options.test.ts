import { expect, test } from "@jest/globals";
import { noHook } from "../src/hook.ts";
import { Occ, retry, type CommitHook } from "../src/index.ts";
import { outcome, stage } from "./support/stage.ts";

const on = stage();
const rule = (): { result: number } => ({ result: 1 });

/** A call as somebody without types may make it. */
type Untyped = Record<string, (...args: unknown[]) => Promise<unknown>>;

test.each<[string, (occ: Untyped) => Promise<unknown> | undefined]>([
  ["an unknown option of transact", (occ) => occ["transact"]?.([], rule, { tiemout: 5 })],
  ["an unknown option of transactAlone", (occ) => occ["transactAlone"]?.([], rule, { tiemout: 5 })],
  ["an unknown option of read", (occ) => occ["read"]?.([], { tiemout: 5 })],
  ["an unknown option of query", (occ) => occ["query"]?.([], { tiemout: 5 })],
  ["an unknown option of batch", (occ) => occ["batch"]?.([], { tiemout: 5 })],
  ["an unknown option of once", (occ) => occ["once"]?.("id", [], rule, { tiemout: 5 })],
  ["an unknown option of close", (occ) => occ["close"]?.({ drian: true })],
  ["options that are null", (occ) => occ["transact"]?.([], rule, null)],
  ["a timeout that is a text", (occ) => occ["read"]?.([], { timeout: "5" })],
  ["a signal that is none", (occ) => occ["read"]?.([], { signal: true })],
  ["keys that are a text", (occ) => occ["transact"]?.("abc", rule)],
  ["keys that are no list", (occ) => occ["transact"]?.({ a: 1 }, rule)],
  ["no keys", (occ) => occ["transact"]?.(undefined, rule)],
  ["a key that is a number", (occ) => occ["transact"]?.([1], rule)],
  ["keys of a read that are a text", (occ) => occ["read"]?.("abc")],
  ["a key of a read that is undefined", (occ) => occ["read"]?.([undefined])],
  ["keys of a batch that are a text", (occ) => occ["batch"]?.([{ keys: "abc", decide: rule }])],
  ["no rule", (occ) => occ["transact"]?.([])],
  ["a rule that is none", (occ) => occ["transact"]?.([], { result: 1 })],
  ["a rule that returns nothing", (occ) => occ["transact"]?.([], () => undefined)],
  ["a rule that is asynchronous", (occ) => occ["once"]?.("id", [], async () => Promise.resolve(rule()))],
  ["a command that is a text", (occ) => occ["query"]?.(["get k"])],
  ["an id that is empty", (occ) => occ["once"]?.("", [], rule)],
  ["an id that is a number", (occ) => occ["once"]?.(7, [], rule)],
  ["a ttl that is none", (occ) => occ["once"]?.("id", [], rule, { ttl: -1 })],
])("%s: a TypeError, and the client goes on", async (_name, call) => {
  const occ = on.client();
  expect(await outcome(call(occ as unknown as Untyped) ?? Promise.resolve())).toBeInstanceOf(TypeError);
  expect(await occ.transact([], rule)).toBe(1);
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["null", null],
  ["a text", "redis://127.0.0.1"],
  ["a url that is a number", { url: 6379 }],
  ["two sources", { url: "redis://127.0.0.1", redis: {} }],
  ["a connect that is no function", { connect: {} }],
  ["a codec without decode", { url: "redis://h", codec: { encode: String } }],
  ["a codec that is null", { url: "redis://h", codec: null }],
  ["a random that is a number", { url: "redis://h", random: 0.5 }],
  ["a dedicated that is a text", { url: "redis://h", dedicated: "yes" }],
  ["connections as a text", { url: "redis://h", connections: "8" }],
  ["an option of ioredis in the url", { url: "redis://h/0?enableOfflineQueue=true" }],
  ["a hook that is null", { url: "redis://h", hook: null }],
  ["a hook without keys", { url: "redis://h", hook: { ...noHook, watch: "guard" } }],
  ...Object.keys(noHook)
    .filter((name) => name !== "watch")
    .map((name): [string, unknown] => [
      `a hook without ${name}`,
      { url: "redis://h", hook: { ...noHook, [name]: undefined } },
    ]),
])("new Occ of %s: a TypeError that says what is wrong", (_name, options) => {
  expect(() => new Occ(options as { url: string })).toThrow(TypeError);
  expect(() => new Occ(options as { url: string })).not.toThrow(/Cannot (read|destructure|use)/);
});

test("a hook whose idle() throws at once holds up nobody", async () => {
  const hook: CommitHook = {
    ...(noHook as CommitHook),
    idle: () => {
      throw new Error("at once");
    },
  };
  const occ = on.client({ hook });
  expect(await Promise.all([occ.transact([], rule), occ.transact([], rule)])).toEqual([1, 1]);
});

test("retry refuses what makes no sense", async () => {
  const untyped = retry as unknown as (...args: unknown[]) => Promise<unknown>;
  expect(await outcome(untyped(5))).toBeInstanceOf(TypeError);
  expect(await outcome(untyped(rule, { tiemout: 5 }))).toBeInstanceOf(TypeError);
  expect(await outcome(untyped(rule, { signal: 5 }))).toBeInstanceOf(TypeError);
});

test.each([
  ["set", "k", "1"],
  ["del", "k"],
  ["INCR", "k"],
  ["eval", "return 1", 0],
  ["flushall"],
  ["spop", "s"],
  ["json.get", "k"],
  ["multi"],
  ["publish", "c", "m"],
] as const)("query refuses %s: it only reads", async (...command) => {
  await on.outside.set("k", "1");
  const occ = on.client();
  expect(await outcome(occ.query([["get", "k"], command]))).toBeInstanceOf(TypeError);
  expect(await occ.query([["GET", "k"], ["exists", "k"], ["ping"], ["dbsize"]])).toEqual(["1", 1, "PONG", 1]);
});
