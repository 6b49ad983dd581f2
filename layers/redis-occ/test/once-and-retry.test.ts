import { getEventListeners } from "node:events";
import { expect, test } from "@jest/globals";
import {
  AbortedError,
  OutcomeUnknownError,
  retry,
  ConnectionLostError,
  ConflictError,
  type Decide,
} from "../src/index.ts";
import { EXEC } from "./support/commit-mode.ts";
import { add, outcome, refuse, stage, until } from "./support/stage.ts";

const on = stage();

test("once: the first call takes effect, later ones get its result, in whatever process", async () => {
  const occ = on.client();
  const results = await Promise.all(Array.from({ length: 10 }, () => occ.once("pay-1", ["n"], add("n"))));
  expect(results).toEqual(Array(10).fill(1));
  expect(await on.client().once("pay-1", ["n"], add("n"))).toBe(1);
  expect(await occ.once("pay-2", ["n"], add("n"))).toBe(2);
  expect(await on.json("n")).toBe(2);
});

test("once: a rule that throws has left nothing behind", async () => {
  const occ = on.client();
  expect(await outcome(occ.once("id", [], () => refuse("sold out")))).toEqual(new Error("sold out"));
  expect(await occ.once("id", ["n"], add("n"))).toBe(1);
});

test("once: what the rule sets, with times to live and commands, happens once as well; a result may be undefined", async () => {
  const occ = on.client();
  const decide: Decide<undefined> = () => ({
    result: undefined,
    set: { a: 1 },
    setWithTtl: { b: { value: 2, ttl: 60_000 } },
    commands: [["incr", "i"]],
  });
  for (const ttl of [null, 60_000]) {
    expect(await occ.once(`id-${ttl}`, [], decide, { ttl })).toBeUndefined();
    expect(await occ.once(`id-${ttl}`, [], decide, { ttl })).toBeUndefined();
  }
  expect([await on.outside.get("i"), ...(await occ.read(["a", "b"]))]).toEqual(["2", 1, 2]);
  expect(await on.outside.pttl("once:id-60000")).toBeGreaterThan(50_000);
  expect(await on.outside.pttl("once:id-null")).toBe(-1);
});

test("once: kept for its ttl, by default a day", async () => {
  const occ = on.client();
  await occ.once("short", ["n"], add("n"), { ttl: 30 });
  await occ.once("day", ["n"], add("n"));
  expect(await on.outside.pttl("once:day")).toBeGreaterThan(23 * 3_600_000);
  await until(async () => (await on.outside.exists("once:short")) === 0);
  expect(await occ.once("short", ["n"], add("n"))).toBe(3);
});

test("once: repeated after an unknown outcome it tells what became of the first", async () => {
  const own = await on.ownRedis();
  const proxy = await on.proxy(own.port);
  const occ = on.client({ url: proxy.url, roundTripTimeout: 100 });
  await occ.transact(["warm"], add("warm"));
  const caught = proxy.catchNext(EXEC);
  const answer = outcome(occ.once("id", ["n"], add("n"), { timeout: 2_000 }));
  const held = await caught;
  await held.deliver();
  own.pause();
  held.cut();
  expect(await answer).toBeInstanceOf(OutcomeUnknownError);
  own.resume();
  expect(await occ.once("id", ["n"], add("n"))).toBe(1);
  expect(await occ.read(["n"])).toEqual([1]);
});

test("retry goes on while nothing was changed and the trouble may pass, and no longer", async () => {
  const failing = (errors: readonly Error[]) => {
    let calls = 0;
    return async () => {
      const error = errors[calls++];
      if (error) throw error;
      return calls;
    };
  };
  expect(await retry(failing([new ConflictError(1), new ConnectionLostError("gone")]))).toBe(3);
  const unknown = new OutcomeUnknownError("unknown");
  expect(await outcome(retry(failing([new ConflictError(1), unknown])))).toBe(unknown);
  const own = new Error("sold out");
  expect(await outcome(retry(failing([own])))).toBe(own);
});

test("retry ends with the latest error: at its timeout, and when its signal is aborted", async () => {
  const lost = new ConnectionLostError("gone");
  const fail = () => Promise.reject<number>(lost);
  expect(await outcome(retry(fail, { timeout: 50 }))).toBe(lost);
  expect(await outcome(retry(fail, { signal: AbortSignal.timeout(50) }))).toBe(lost);
  expect(await outcome(retry(fail, { signal: AbortSignal.abort() }))).toBe(lost);
});

test("a signal that is aborted: what has not begun never runs, and tells the reason", async () => {
  const occ = on.client();
  const reason = new Error("the caller left");
  for (const call of [
    occ.transact(["n"], add("n"), { signal: AbortSignal.abort(reason) }),
    occ.transactAlone(["n"], add("n"), { signal: AbortSignal.abort(reason) }),
    occ.once("id", ["n"], add("n"), { signal: AbortSignal.abort(reason) }),
    occ.read(["n"], { signal: AbortSignal.abort(reason) }),
    occ.query([["ping"]], { signal: AbortSignal.abort(reason) }),
  ]) {
    const error = await outcome(call);
    expect(error).toBeInstanceOf(AbortedError);
    expect(error).toMatchObject({ cause: reason, unchanged: true, transient: false });
  }
  expect(await on.outside.dbsize()).toBe(0);
});

test("a signal that is aborted while a call waits: at once, others go on", async () => {
  const own = await on.ownRedis();
  const occ = on.client({ url: own.url });
  await occ.read(["n"]);
  own.pause();
  const abort = new AbortController();
  const calls = [
    outcome(occ.transact(["n"], add("n"), { signal: abort.signal })),
    outcome(occ.read(["n"], { signal: abort.signal })),
  ];
  const stays = occ.transact(["n"], add("n"));
  abort.abort();
  for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(AbortedError);
  own.resume();
  expect(await stays).toBe(1);
});

test("a signal that is aborted while EXEC is under way: the outcome is unknown", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const abort = new AbortController();
  const answer = outcome(occ.transact(["n"], add("n"), { signal: abort.signal }));
  const held = await caught;
  abort.abort();
  expect(await answer).toMatchObject({ code: "outcome_unknown", unchanged: false });
  held.pass();
});

test("a signal outlives its calls: nothing of them stays with it", async () => {
  const occ = on.client();
  const { signal } = new AbortController();
  for (let i = 0; i < 20; i++) await occ.transact(["n"], add("n"), { signal });
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
