import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { expect, test } from "@jest/globals";
import { backoff } from "../src/backoff.ts";
import { ConflictError } from "../src/index.ts";
import { EXEC, READ } from "./support/commit-mode.ts";
import { add, beforeExec, outcome, stage } from "./support/stage.ts";

const on = stage();

test("two clients that race on one key lose nothing", async () => {
  const clients = [on.client(), on.client()];
  const results = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      for (let j = 0; j < i % 4; j++) await Promise.resolve();
      return clients[i % 2]?.transact(["n"], add("n"));
    }),
  );
  expect(new Set(results).size).toBe(200);
  expect(await on.json("n")).toBe(200);
});

test("many clients that move amounts between few keys keep the sum exact", async () => {
  const keys = ["a", "b", "c"];
  await on.outside.mset("a", "100", "b", "100", "c", "100");
  const clients = Array.from({ length: 6 }, () => on.client());
  const move = (from: string, to: string, amount: number) => (view: { get<T>(key: string): T | null }) => {
    const [left, right] = [view.get<number>(from) ?? 0, view.get<number>(to) ?? 0];
    if (left < amount) throw new Error("not enough");
    return { result: amount, set: { [from]: left - amount, [to]: right + amount } };
  };
  const moves = Array.from({ length: 600 }, (_, i) => {
    const from = keys[i % 3] ?? "a";
    const to = keys[(i + 1 + (i % 2)) % 3] ?? "b";
    return outcome(
      clients[i % 6]?.transact([from, to], move(from, to, i % 17)) ?? Promise.reject(new Error("no client")),
    );
  });
  for (const end of await Promise.all(moves)) if (end instanceof Error) expect(end.message).toBe("not enough");
  const values = (await on.client().read<number>(keys)).map((value) => value ?? 0);
  expect(values.reduce((sum, value) => sum + value)).toBe(300);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
});

test("a refusal rests on the state that is current when it is given: the key changes under it, and it decides anew", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  void beforeExec(proxy, () => on.outside.set("stock", "3"));
  let runs = 0;
  const result = await occ.transact(["stock"], (view) => {
    const stock = view.get<number>("stock") ?? 0;
    runs++;
    if (stock === 0) throw new Error("sold out");
    return { result: stock };
  });
  expect(result).toBe(3);
  expect(runs).toBe(2);
});

test("a change of an undeclared key that the rule asked for is noticed as well", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  void beforeExec(proxy, () => on.outside.set("late", "9"));
  const seen: (number | null)[] = [];
  await occ.transact([], (view) => {
    const value = view.get<number>("late");
    seen.push(value);
    return { result: 0, set: { copy: value } };
  });
  expect(seen).toEqual([null, 9]);
  expect(await on.json("copy")).toBe(9);
});

test("a change of the last of hundreds of keys is noticed as well", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const keys = Array.from({ length: 400 }, (_, i) => `k${i}`);
  void beforeExec(proxy, () => on.outside.set("k399", "9"));
  const sum = await occ.transactAlone(keys, (view) => {
    const total = keys.reduce((before, key) => before + (view.get<number>(key) ?? 0), 0);
    return { result: total, set: { total } };
  });
  expect(sum).toBe(9);
  expect(await on.json("total")).toBe(9);
});

test("a deadline that passes after a conflict and before the next EXEC: nothing was changed, and the caller is told so", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  void beforeExec(proxy, async () => {
    proxy.catchAll(READ, () => undefined);
    await on.outside.incr("n");
  });
  const error = await outcome(occ.transact(["n"], add("n"), { timeout: 500 }));
  expect(error).toMatchObject({ code: "timeout", unchanged: true });
  expect(await on.outside.get("n")).toBe("1");
});

test("a transaction that collides in each of maxAttempts attempts ends with a ConflictError that counts them, and changed nothing", async () => {
  const proxy = await on.proxy();
  proxy.catchAll(EXEC, (held) => void on.outside.incr("n").then(() => held.pass()));
  const occ = on.client({ url: proxy.url, maxAttempts: 4 });
  let runs = 0;
  const error = await outcome(occ.transact(["n"], () => ({ result: ++runs, set: { n: "mine" } })));
  expect(error).toBeInstanceOf(ConflictError);
  expect(error).toMatchObject({ code: "conflict", retryable: true, attempts: 4 });
  expect(runs).toBe(4);
  expect(await on.outside.get("n")).toBe("4");
});

test("the pauses between attempts are random up to a bound that doubles: full jitter", async () => {
  const proxy = await on.proxy();
  proxy.catchAll(EXEC, (held) => void on.outside.incr("n").then(() => held.pass()));
  let asked = 0;
  const occ = on.client({ url: proxy.url, maxAttempts: 6, random: () => (asked++, 0) });
  await outcome(occ.transact(["n"], () => ({ result: 0, set: { n: 0 } })));
  expect(asked).toBe(5);

  const pauses: number[] = [];
  // The test runner sets timers of its own in this process.
  const own = new AsyncLocalStorage<true>();
  const timers = createHook({
    init: (_id, type, _trigger, resource) =>
      type === "Timeout" && own.getStore() && pauses.push((resource as { _idleTimeout: number })._idleTimeout),
  });
  timers.enable();
  await own.run(true, async () => {
    for (let attempts = 1; attempts <= 12; attempts++) await backoff(attempts, () => 0.5);
  });
  timers.disable();
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 32, 32, 32, 32, 32, 32]);
});
