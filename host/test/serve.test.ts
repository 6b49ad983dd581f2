/** `npm run serve`: the whole, supervised. */
import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort, type Shop, type ShopOptions, startRefused, startShop, temporaryFolder } from "./support/shop.ts";

const running: Shop[] = [];
const endings: (() => void)[] = [];

beforeAll(() => {
  process.env["SHOP_HOST"] = "serve";
});
afterEach(async () => {
  for (const shop of running.splice(0).reverse()) await shop.stop();
  for (const end of endings.splice(0)) end();
}, 60_000);

async function start(options: ShopOptions = {}): Promise<Shop> {
  const shop = await startShop(options);
  running.push(shop);
  return shop;
}

const post = (shop: Shop, path: string): Promise<Response> => fetch(shop.url + path, { method: "POST" });

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await sleep(25);
}

test("it starts with one line, serves, is ready, and stops with everything that it started", async () => {
  const shop = await startShop();
  expect(shop.stdout()).toBe(`ready: ${shop.url}  try: curl -X POST ${shop.url}/stock/item/create/5\n`);
  expect((await post(shop, "/stock/item/create/5")).status).toBe(200);
  expect(await (await fetch(`${shop.url}/ready`)).json()).toEqual({
    ready: true,
    draining: false,
    services: { order: null, stock: null, payment: null },
    active: 0,
    queued: 0,
  });
  expect(await shop.stop()).toBe(0);
}, 60_000);

test("a host that is killed is started again, and what was answered is there", async () => {
  const shop = await start();
  await post(shop, "/stock/batch_init/1/7/1");
  shop.kill("host");
  await until(async () => (await fetch(`${shop.url}/ready`)).status === 200);
  expect(await (await fetch(`${shop.url}/stock/find/0`)).json()).toEqual({ stock: 7, price: 1 });
}, 60_000);

test("a Redis that is killed comes back with its state, without a request", async () => {
  const shop = await start();
  await post(shop, "/stock/batch_init/1/7/1");
  const log = (): string => readFileSync(join(shop.dataDir, "run", "supervisor.log"), "utf8");
  const restored = (): number => log().split("every service is restored").length;
  const before = restored();
  shop.kill("redis-stock");
  await until(async () => restored() > before);
  expect(await (await fetch(`${shop.url}/stock/find/0`)).json()).toEqual({ stock: 7, price: 1 });
}, 60_000);

test("/ready and /health are 503 and name the service and its setting while its Redis hangs", async () => {
  const shop = await start();
  const redis = shop.pid("redis-payment");
  process.kill(redis, "SIGSTOP");
  try {
    const response = await fetch(`${shop.url}/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      ready: false,
      services: { order: null, stock: null, payment: expect.stringMatching(/./) as unknown },
    });
    expect((await fetch(`${shop.url}/health`)).status).toBe(503);
    expect(await (await fetch(`${shop.url}/payment/health`)).text()).toContain("REDIS_URL_PAYMENT");
  } finally {
    process.kill(redis, "SIGCONT");
  }
  await until(async () => (await fetch(`${shop.url}/ready`)).status === 200);
}, 60_000);

/** Makes a minute of a host's schedules 200 ms long. */
const FAST_SCHEDULES = `--import data:text/javascript,${encodeURIComponent(
  "const { setInterval } = globalThis; globalThis.setInterval = (run, ms, ...more) => setInterval(run, ms >= 60_000 ? ms / 300 : ms, ...more);",
)}`;

test("the scheduled functions run, those of each minute and those of every fifth", async () => {
  const shop = await start({
    environment: { COMPACT_AGE_MS: "1", METRICS_NAMESPACE: "test", NODE_OPTIONS: FAST_SCHEDULES },
  });
  const said = (): string => readFileSync(join(shop.dataDir, "run", "host.out"), "utf8");
  const rounds = (): number => said().split('"StuckSagas":0').length - 1;
  await post(shop, "/stock/item/create/5");
  // The log of an epoch that is over can be compacted.
  shop.kill("redis-stock");
  await until(() => Promise.resolve(/"message":"compact","service":"stock","ms":\d+,"commits":1/.test(said())));
  const before = rounds();
  await until(() => Promise.resolve(rounds() > before + 1));
  const lines = said()
    .split("\n")
    .filter((line) => line.startsWith('{"_aws"'))
    .map((line) => JSON.parse(line) as { service: string; RestoreSeconds?: number });
  expect(new Set(lines.map(({ service }) => service))).toEqual(new Set(["order", "stock", "payment"]));
  expect(lines.filter(({ RestoreSeconds }) => RestoreSeconds !== undefined).map(({ service }) => service)).toContain(
    "stock",
  );
}, 60_000);

test("SIGTERM under load: every checkout that was begun is finished and answered", async () => {
  const ORDERS = 1_000;
  const dataDir = temporaryFolder();
  endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const shop = await startShop({ dataDir, environment: { LOG_LEVEL: "error" } });
  for (const path of [
    "/stock/batch_init/10/100000/1",
    "/payment/batch_init/10/100000",
    `/orders/batch_init/${ORDERS}/10/10/1`,
  ])
    await post(shop, path);
  const paid = new Set<number>();
  let asked = 0;
  const customers = Array.from({ length: 20 }, async () => {
    while (asked < ORDERS) {
      const order = asked++;
      // Nobody listens any more, or a kept connection was closed in between: the request never began.
      const response = await post(shop, `/orders/checkout/${order}`).catch(() => null);
      if (response === null) return;
      expect([200, 503]).toContain(response.status);
      if (response.status === 200) paid.add(order);
    }
  });
  while (paid.size < 100) await sleep(1);
  expect(await shop.stop()).toBe(0);
  await Promise.all(customers);
  expect(asked).toBeLessThan(ORDERS);

  const again = await start({ dataDir });
  for (let order = 0; order < asked; order++) {
    const found = (await (await fetch(`${again.url}/orders/find/${order}`)).json()) as { paid: boolean };
    expect([order, found.paid]).toEqual([order, paid.has(order)]);
  }
}, 90_000);

test.each([
  ["MAX_CONCURRENCY", "0"],
  ["MAX_QUEUE", "many"],
  ["QUEUE_TIMEOUT_MS", "-1"],
])(
  "a wrong %s is one clear error that names it",
  async (name, value) => {
    const refused = await startRefused({
      dataDir: temporaryFolder(),
      httpPort: await freeHttpPort(),
      environment: { [name]: value },
    });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr.trim().split("\n")).toHaveLength(1);
    expect(refused.stderr).toContain(name);
  },
  60_000,
);
