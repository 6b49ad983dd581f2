import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createFileStore, LoggedRedis, openFileStore } from "log-replay";
import { processWide } from "log-replay/process-wide";
import { outcome, stage } from "../../layers/redis-occ/test/support/stage.ts";
import { openBank, transfer } from "../bank-transfer.ts";
import { linesOf, openCarts, putInto } from "../cart.ts";
import { count, events, valueAfter } from "../counter.ts";
import { handler } from "../lambda.ts";

const on = stage();
let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "example-"))));
afterEach(() => rm(folder, { recursive: true }));

test("bank transfer, on redis-occ: no sum is lost or made, whoever transfers at the same time", async () => {
  const occ = on.client();
  await on.outside.mset("account:ann", "50", "account:bob", "50");
  const transfers = Array.from({ length: 60 }, (_, i) => {
    const [from, to] = i % 2 === 0 ? (["bob", "ann"] as const) : (["ann", "bob"] as const);
    return outcome(transfer(occ, from, to, (i % 5) * 7));
  });
  await Promise.all(transfers);
  const [ann, bob] = await occ.read<[number, number]>(["account:ann", "account:bob"]);
  expect((ann ?? 0) + (bob ?? 0)).toBe(100);
  expect(Math.min(ann ?? 0, bob ?? 0)).toBeGreaterThanOrEqual(0);
});

test("bank transfer, on log-replay: accounts come back in an empty Redis", async () => {
  await using bank = await openBank(on.redis.url, folder);
  await bank.occ.transact([], () => ({ result: 0, set: { "account:ann": 10, "account:bob": 0 } }));
  expect(await transfer(bank.occ, "ann", "bob", 4)).toBe(6);
  expect(await outcome(transfer(bank.occ, "ann", "bob", 7))).toEqual(new Error("ann has too little"));
  await on.outside.flushall();
  expect(await bank.occ.read(["account:ann", "account:bob"])).toEqual([6, 4]);
});

test("cart, on redis-occ: lines change one by one, whoever changes them at the same time, and the last one ends it", async () => {
  const occ = on.client();
  await Promise.all(Array.from({ length: 20 }, (_, i) => putInto(occ, "7", i % 2 ? "apple" : "pear", 1)));
  expect(await linesOf(occ, "7")).toEqual(
    new Map([
      ["pear", 10],
      ["apple", 10],
    ]),
  );
  expect(await outcome(putInto(occ, "7", "plum", -1))).toEqual(new Error("there are not so many of plum"));
  for (const article of ["apple", "pear"]) expect(await putInto(occ, "7", article, -10)).toBe(0);
  expect(await on.outside.exists("cart:7")).toBe(0);
});

test("cart, on log-replay: carts come back in an empty Redis, and end when they were to end", async () => {
  await using carts = await openCarts(on.redis.url, folder);
  await putInto(carts.occ, "7", "apple", 2);
  const end = await on.outside.pexpiretime("cart:7");
  expect(end).toBeGreaterThan(Date.now());
  await putInto(carts.occ, "7", "pear", 1);
  await on.outside.flushall();
  expect(await linesOf(carts.occ, "7")).toEqual(
    new Map([
      ["apple", 2],
      ["pear", 1],
    ]),
  );
  expect(await on.outside.pexpiretime("cart:7")).toBe(end);
});

test("counter: its history, and its value at any point of it", async () => {
  await createFileStore(folder);
  const store = await openFileStore({ folder });
  await using state = new LoggedRedis({ url: on.redis.url, store });
  for (const [by, why] of [
    [5, "begun"],
    [-2, "mended"],
    [10, "grown"],
  ] as const)
    await count(state, by, why);
  expect((await events(store)).map(({ by, why }) => [by, why])).toEqual([
    [5, "begun"],
    [-2, "mended"],
    [10, "grown"],
  ]);
  expect(await Promise.all([0, 1, 2, 3].map((n) => valueAfter(store, n)))).toEqual([0, 5, 3, 13]);
});

test("lambda: a request that is sent again is booked once", async () => {
  await createFileStore(folder);
  Object.assign(process.env, { REDIS_URL: on.redis.url, LOG_FOLDER: folder });
  const context = { getRemainingTimeInMillis: () => 10_000 };
  const book = (request: string, seat: string): Promise<unknown> => handler({ request, seat }, context as never);
  expect(await book("r1", "A1")).toEqual({ statusCode: 200, body: "A1 is yours" });
  expect(await book("r1", "A1")).toEqual({ statusCode: 200, body: "A1 is yours" });
  expect(await book("r2", "A1")).toEqual({ statusCode: 200, body: "A1 is taken" });
  await (await processWide<LoggedRedis>("bookings", () => Promise.reject(new Error("it is there")))).close();
});
