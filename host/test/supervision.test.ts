import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Shop, startShop } from "./support/shop.ts";
import { SERVICES } from "../../functions/settings/services.ts";

let shop: Shop;

beforeAll(async () => {
  shop = await startShop();
}, 150_000);

afterAll(async () => {
  await shop.stop();
}, 120_000);

async function until(what: string, withinMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await Promise.resolve(condition()).catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(10);
  }
}

function pidChanges(of: Shop, name: string, before: number): () => boolean {
  return () => existsSync(join(of.dataDir, "run", `${name}.pid`)) && of.pid(name) !== before && of.pid(name) > 0;
}

/**
 * How often the supervisor has seen to it that all is restored. A tick of the schedule restores as well, so that the state alone
 * does not show who did.
 */
function recoveries(): number {
  return readFileSync(join(shop.dataDir, "run", "supervisor.log"), "utf8").split("every service is restored").length;
}

async function keys(url: string): Promise<number> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    return await redis.dbsize();
  } finally {
    redis.disconnect();
  }
}

async function json(path: string, method = "GET"): Promise<Record<string, unknown>> {
  const response = await fetch(shop.url + path, { method });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return JSON.parse(await response.text()) as Record<string, unknown>;
}

test("a Redis that is killed is started again within a second, at the same address, and is restored without a request", async () => {
  const { item_id: item } = await json("/stock/item/create/5", "POST");
  await fetch(`${shop.url}/stock/add/${String(item)}/3`, { method: "POST" });
  const address = shop.redisUrl("stock");
  const done = recoveries();
  const before = shop.kill("redis-stock");
  await until("a new Redis", 1_000, pidChanges(shop, "redis-stock", before));
  await until("the supervisor has it restored", 90_000, () => recoveries() > done);
  expect(await keys(address)).toBeGreaterThan(0);
  expect(shop.redisUrl("stock")).toBe(address);
  expect(await json(`/stock/find/${String(item)}`)).toEqual({ stock: 3, price: 5 });
}, 120_000);

test("a Redis starts empty, whatever it, another one or an older version has saved: no service finds what is another's", async () => {
  const { item_id: item } = await json("/stock/item/create/3", "POST");
  await json("/payment/create_user", "POST");
  const run = join(shop.dataDir, "run");
  const saved = (): string[] => readdirSync(run).filter((name) => name.endsWith(".rdb"));
  for (const service of SERVICES) {
    const redis = new Redis(shop.redisUrl(service));
    await redis.save().finally(() => redis.disconnect());
  }
  // An older version had one name for all three.
  if (!saved().includes("dump.rdb")) copyFileSync(join(run, saved()[0] ?? ""), join(run, "dump.rdb"));
  const done = recoveries();
  const before = SERVICES.map((service) => shop.kill(`redis-${service}`));
  for (const [index, service] of SERVICES.entries())
    await until(`${service} is back`, 20_000, pidChanges(shop, `redis-${service}`, before[index] ?? 0));
  await until("the supervisor has them restored", 30_000, () => recoveries() > done);
  expect(await json(`/stock/find/${String(item)}`)).toEqual({ stock: 0, price: 3 });
  expect(saved()).toEqual([]);
}, 120_000);

test("a host that is killed is started again within a second, and serves", async () => {
  const { item_id: item } = await json("/stock/item/create/7", "POST");
  const done = recoveries();
  const before = shop.kill("host");
  await until("a new host", 1_000, pidChanges(shop, "host", before));
  await until("it serves", 90_000, async () => (await json(`/stock/find/${String(item)}`)).price !== undefined);
  await until("the supervisor has its sagas resumed", 90_000, () => recoveries() > done);
}, 150_000);

test("all three Redis servers killed at once come back and are restored", async () => {
  const done = recoveries();
  const before = SERVICES.map((service) => shop.kill(`redis-${service}`));
  for (const [index, service] of SERVICES.entries())
    await until(`${service} is back`, 20_000, pidChanges(shop, `redis-${service}`, before[index] ?? 0));
  const restored = async (): Promise<boolean> =>
    recoveries() > done &&
    Math.min(...(await Promise.all(SERVICES.map((service) => keys(shop.redisUrl(service)))))) > 0;
  await until("the supervisor has them restored", 90_000, restored);
}, 120_000);

test("a further host serves the same state, is supervised, and its end leaves the shop as it was", async () => {
  const { item_id: item } = await json("/stock/item/create/9", "POST");
  const further = await shop.addHost();
  try {
    expect(further.stdout()).toBe(`ready: ${further.url}  try: curl -X POST ${further.url}/stock/item/create/5\n`);
    const name = `host-${further.httpPort}`;
    const found = await fetch(`${further.url}/stock/find/${String(item)}`);
    expect(found.status).toBe(200);
    const before = further.kill(name);
    await until("a new further host", 1_000, pidChanges(further, name, before));
    await until("it serves", 90_000, async () => (await fetch(`${further.url}/stock/find/${String(item)}`)).ok);
  } finally {
    expect(await further.stop()).toBe(0);
  }
  expect(existsSync(join(shop.dataDir, "run", `host-${further.httpPort}.pid`))).toBe(false);
  expect(shop.pid("host")).toBeGreaterThan(0);
  expect((await fetch(`${shop.url}/stock/find/${String(item)}`)).status).toBe(200);
}, 150_000);

test("the pid files hold the pids of living processes, and the Redis servers have no persistence and evict nothing", async () => {
  for (const name of ["redis-order", "redis-stock", "redis-payment", "host"])
    expect(() => process.kill(shop.pid(name), 0)).not.toThrow();
  const redis = new Redis(shop.redisUrl("payment"));
  try {
    expect(await redis.config("GET", "save")).toEqual(["save", ""]);
    expect(await redis.config("GET", "appendonly")).toEqual(["appendonly", "no"]);
    expect(await redis.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
    expect(await redis.config("GET", "bind")).toEqual(["bind", "127.0.0.1"]);
  } finally {
    redis.disconnect();
  }
  expect(readFileSync(join(shop.dataDir, "run", "supervisor.log"), "utf8")).toMatch(/every service is restored/);
});

/** As `npx serverless` on the running shop's data. */
function invokeLocal(name: string, event: object): { status: number | null; stdout: string } {
  const root = join(import.meta.dirname, "..", "..");
  const words = [
    join(root, "node_modules", "serverless", "bin", "serverless.js"),
    ...["invoke", "local", "-f", name, "--data", JSON.stringify({ headers: {}, ...event })],
  ];
  return spawnSync(join(root, "node_modules", ".bin", "node"), words, {
    cwd: root,
    encoding: "utf8",
    timeout: 140_000,
    env: { ...process.env, NODE_OPTIONS: "", DATA_DIR: shop.dataDir },
  });
}

test("`serverless invoke local` reaches the shop that runs on the data folder, answers and ends", async () => {
  const { item_id: item } = await json("/stock/item/create/11", "POST");
  const event = { httpMethod: "GET", path: `/stock/find/${String(item)}`, pathParameters: { item_id: item } };
  const done = invokeLocal("stock-find", event);
  expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('"statusCode": 200')]);
}, 150_000);

test("a checkout by `serverless invoke local` calls the services of the running shop, whatever its port", async () => {
  for (const path of ["/stock/batch_init/1/5/2", "/payment/batch_init/1/9"]) await json(path, "POST");
  const { order_id: order } = await json("/orders/create/0", "POST");
  await fetch(`${shop.url}/orders/addItem/${String(order)}/0/1`, { method: "POST" });
  const event = { httpMethod: "POST", path: `/orders/checkout/${String(order)}`, pathParameters: { order_id: order } };
  const done = invokeLocal("order-checkout", event);
  expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('"statusCode": 200')]);
  expect(await json("/payment/find_user/0")).toMatchObject({ credit: 7 });
}, 150_000);
