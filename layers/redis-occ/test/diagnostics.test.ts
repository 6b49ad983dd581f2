/** What is told on node:diagnostics_channel, to whoever listens. */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test } from "@jest/globals";
import type { AttemptMessage, TransactionMessage } from "../src/index.ts";
import { EXEC, READ } from "./support/commit-mode.ts";
import { add, beforeExec, outcome, refuse, stage } from "./support/stage.ts";

const on = stage();
const endings: (() => void)[] = [];
afterEach(() => endings.splice(0).forEach((end) => end()));

function listen(channel: string, hear: (message: unknown) => void): void {
  subscribe(channel, hear);
  endings.push(() => unsubscribe(channel, hear));
}

function attempts(): AttemptMessage[] {
  const told: AttemptMessage[] = [];
  listen("redis-occ:attempt", (message) => told.push(message as AttemptMessage));
  return told;
}

test("each attempt of a group is told, with its client, its outcome and its times", async () => {
  const told = attempts();
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url, name: "seats" });
  const began = performance.now();
  void beforeExec(proxy, () => on.outside.set("n", "41"));
  expect(await occ.transact(["n"], add("n"))).toBe(42);
  expect(told.map(({ name, outcome: end, size }) => [name, end, size])).toEqual([
    ["seats", "conflict", 1],
    ["seats", "executed", 1],
  ]);
  const times = [began, ...told.flatMap(({ started, ended }) => [started, ended]), performance.now()];
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("an attempt whose connection breaks is told as failed, or as lost where its EXEC was sent", async () => {
  const told = attempts();
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  for (const command of [READ, EXEC]) {
    const caught = proxy.catchNext(command);
    const answer = occ.transact(["n"], add("n"));
    (await caught).cut();
    await answer;
  }
  expect(told.map(({ outcome: end }) => end)).toEqual(["failed", "executed", "lost", "executed"]);
});

test("how many transactions a group has", async () => {
  const told = attempts();
  const occ = on.client();
  await occ.transact(["n"], add("n"));
  const before = told.length;
  await Promise.all(Array.from({ length: 12 }, () => occ.transact(["n"], add("n"))));
  const sizes = told.slice(before).map(({ size }) => size);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(12);
  expect(sizes.length).toBeLessThan(12);
});

test("each transaction is told from its call to its answer, in its caller's asynchronous context", async () => {
  const callers = new AsyncLocalStorage<string>();
  const told: unknown[] = [];
  for (const event of ["start", "asyncEnd", "error"])
    listen(`tracing:redis-occ:transaction:${event}`, (message) => {
      const { name, meta } = message as TransactionMessage;
      told.push([event, name, meta, callers.getStore()]);
    });
  const occ = on.client({ name: "seats" });
  await callers.run("ann", () => occ.transact(["n"], add("n"), { meta: { op: "book" } }));
  await callers.run("bob", () => outcome(occ.transact(["n"], () => refuse("sold out"))));
  expect(told).toEqual([
    ["start", "seats", { op: "book" }, "ann"],
    ["asyncEnd", "seats", { op: "book" }, "ann"],
    ["start", "seats", undefined, "bob"],
    ["error", "seats", undefined, "bob"],
    ["asyncEnd", "seats", undefined, "bob"],
  ]);
});

test("an attempt names the transactions in it", async () => {
  const told = attempts();
  const started: unknown[] = [];
  listen("tracing:redis-occ:transaction:start", (message) => started.push(message));
  const occ = on.client();
  await Promise.all(["a", "b"].map((key) => occ.transact([key], add(key), { meta: key })));
  const named = told.flatMap(({ transactions }) => transactions);
  expect(new Set(named)).toEqual(new Set(started));
  expect(named.map(({ meta }) => meta).sort()).toEqual(["a", "b"]);
});
