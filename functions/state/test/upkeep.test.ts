import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

test("while a service restores, its requests are answered 503 with Retry-After within a second, and the other services go on", async () => {
  const { json } = await shop.post("/stock/item/create/5");
  const { item_id: item } = json as { item_id: string };
  const path = `/stock/add/${item}/1`;
  // Another process restores, for longer than a request waits, and gives signs of life.
  const redis = shop.client("stock");
  let signs = 0;
  const restoring = (): Promise<unknown> => redis.set("log:lock", `another:${++signs}:0`, "PX", 60_000);
  await redis.flushall();
  await restoring();
  const alive = setInterval(() => void restoring(), 100).unref();
  for (const request of [
    () => shop.post(path),
    () => shop.get(`/stock/find/${item}`),
    () => shop.post("/stock/batch_init/10/1/1"),
  ]) {
    expect(await request()).toMatchObject({ status: 503, code: "restoring", retryAfter: "1" });
  }
  expect(await shop.post("/payment/create_user")).toMatchObject({ status: 200 });
  expect(await shop.post("/orders/create/7")).toMatchObject({ status: 200 });
  // A task waits for longer than that.
  const maintained = shop.run("stock/maintain", 60_000);
  await sleep(1_500);
  clearInterval(alive);
  await redis.del("log:lock");
  expect(await maintained).toEqual({ expired: 0 });
  expect(await shop.post(path)).toMatchObject({ status: 200, body: "1" });
});

test("a log is compacted once it is large or old enough: its segments go to the archive, and a restore gives the same state", async () => {
  await shop.post("/stock/batch_init/20/7/3");
  for (let i = 0; i < 20; i++) await shop.post(`/stock/subtract/${i}/${1 + (i % 3)}`);
  // In a new epoch the segment of the one before takes nothing any more.
  await shop.client("stock").flushall();
  expect(await shop.get("/stock/find/1")).toMatchObject({ json: { stock: 5, price: 3 } });
  expect(await shop.run("stock/compact")).toEqual({ commits: 0, archived: 0 });
  shop.set({ COMPACT_BYTES: 1_000 });
  const done = await shop.run("stock/compact");
  expect(done["commits"]).toBeGreaterThan(20);
  expect(done["archived"]).toBeGreaterThan(0);
  expect(await shop.run("stock/compact")).toEqual({ commits: 0, archived: 0 });
  const folder = join(shop.folder, "log", "stock");
  expect((await readdir(join(folder, "archive"))).length).toBe(done["archived"]);
  await shop.client("stock").flushall();
  for (let i = 0; i < 20; i++)
    expect(await shop.get(`/stock/find/${i}`)).toMatchObject({ json: { stock: 6 - (i % 3), price: 3 } });

  expect(await shop.run("payment/compact")).toEqual({ commits: 0, archived: 0 });
  await shop.post("/stock/add/1/1");
  await shop.client("stock").flushall();
  await shop.get("/stock/find/1");
  shop.set({ COMPACT_BYTES: 67_108_864, COMPACT_AGE_MS: 1 });
  expect(await shop.run("stock/compact")).toEqual({ commits: 1, archived: 1 });
});
