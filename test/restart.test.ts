/** The shop is stopped, or everything that belongs to it is killed at once; what it had answered is there when it is started again. */
import { afterEach, expect, test } from "@jest/globals";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis, type RedisServer } from "../layers/redis-occ/test/support/redis.ts";
import { startShop, temporaryFolder, type Shop } from "../host/test/support/shop.ts";
import { hostName, startCluster } from "./support/cluster.ts";
import { Client } from "./support/http.ts";
import { stateViolations, violations } from "./support/invariants.ts";
import { contentOf, differences, openClaims, withRedis } from "./support/live-state.ts";
import { Load, openMarket, stateOf } from "./support/market.ts";
import { SERVICES } from "../functions/settings/services.ts";

const MINUTES = 60_000;
const ENVIRONMENT = { SAGA_TIMEOUT_MS: "3000", LOG_LEVEL: "error" };
const endings: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, MINUTES);

function folder(): string {
  const path = temporaryFolder();
  endings.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function start(dataDir: string, environment: Record<string, string> = {}): Promise<Shop> {
  const shop = await startShop({ dataDir, environment: { ...ENVIRONMENT, ...environment } });
  endings.push(() => shop.stop());
  return shop;
}

function clientOf(shop: Shop): Client {
  const client = new Client([shop.url]);
  endings.push(() => client.close());
  return client;
}

async function contents(shop: Shop): Promise<Record<string, ReadonlyMap<string, string>>> {
  return Object.fromEntries(
    await Promise.all(SERVICES.map(async (service) => [service, await contentOf(shop.redisUrl(service))] as const)),
  );
}

test(
  "a shop that is stopped with SIGTERM and started again on its data folder has everything, key by key",
  async () => {
    const dataDir = folder();
    const shop = await start(dataDir);
    const client = clientOf(shop);
    const market = await openMarket(client, { orders: 200, stock: 50 });
    const load = new Load(client, market);
    await load.sold;
    await load.stop();
    expect(await violations(shop, client, market, load.history.attempts)).toEqual([]);
    const before = await contents(shop);
    const seen = await stateOf(client, market);
    expect(await shop.stop()).toBe(0);

    const again = await start(dataDir);
    for (const service of SERVICES)
      expect(differences(before[service]!, (await contents(again))[service]!)).toEqual([]);
    expect(await stateOf(clientOf(again), market)).toEqual(seen);
  },
  5 * MINUTES,
);

test(
  "SIGTERM in the middle of checkouts: what was answered holds, what was begun is settled by the next start",
  async () => {
    const dataDir = folder();
    const shop = await start(dataDir);
    const market = await openMarket(clientOf(shop), { orders: 400, stock: 40 });
    const load = new Load(clientOf(shop), market);
    await load.reached(0.4);
    expect(await shop.stop()).toBe(0);
    await load.stop();

    const again = await start(dataDir);
    expect(await violations(again, clientOf(again), market, load.history.attempts)).toEqual([]);
  },
  5 * MINUTES,
);

test(
  "every process of the shop killed at once under load, further host included: what was answered is there, open sagas are settled",
  async () => {
    const dataDir = folder();
    const cluster = await startCluster(2, { dataDir, environment: ENVIRONMENT });
    endings.push(() => cluster.stop());
    const { shop, further, client } = cluster;
    const market = await openMarket(client, { orders: 300, stock: 30 });
    const load = new Load(client, market);
    await load.reached(0.5);
    const names = ["host", "redis-order", "redis-stock", "redis-payment", hostName(further[0]!)];
    const pids = [shop.supervisor.pid!, further[0]!.supervisor.pid!, ...names.map((name) => shop.pid(name))];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await load.stop();
    await cluster.stop();

    const again = await start(dataDir);
    expect(await violations(again, clientOf(again), market, load.history.attempts)).toEqual([]);
  },
  6 * MINUTES,
);

test(
  "a checkout that was cut short is settled by the next start itself, before it says that it is ready, and nobody has asked",
  async () => {
    const dataDir = folder();
    const shop = await start(dataDir);
    const client = clientOf(shop);
    for (const path of ["/stock/batch_init/1/10/5", "/payment/batch_init/1/100", "/orders/batch_init/1/1/1/5"])
      expect((await client.post(path)).status).toBe(200);
    process.kill(shop.pid("redis-payment"), "SIGSTOP");
    const cut = client.post("/orders/checkout/0").catch(() => null);
    // A claim in Redis may not be in the log yet, and then nothing would be left to settle. The first step comes after it is.
    const reserved = () => withRedis(shop.redisUrl("stock"), (redis) => redis.keys("reservation:*"));
    while ((await reserved()).length !== 1) await sleep(5);
    expect(await openClaims(shop.redisUrl("order"))).toBe(1);
    const names = ["host", "redis-order", "redis-stock", "redis-payment"];
    for (const pid of [shop.supervisor.pid!, ...names.map((name) => shop.pid(name))]) process.kill(pid, "SIGKILL");
    await cut;
    await shop.stop();

    const again = await start(dataDir);
    expect(await openClaims(again.redisUrl("order"))).toBe(0);
    expect(await stateViolations(again, clientOf(again))).toEqual([]);
  },
  4 * MINUTES,
);

test(
  "an older copy of a Redis that is put back is not believed: everything answered since is there",
  async () => {
    const dumps = mkdtempSync(join(tmpdir(), "shop-dump-"));
    endings.push(() => rmSync(dumps, { recursive: true, force: true }));
    const args = ["--dir", dumps, "--dbfilename", "dump.rdb"];
    let redis: RedisServer = await startRedis({ args });
    endings.push(() => redis.stop());
    const shop = await start(folder(), { REDIS_URL_STOCK: redis.url });
    const client = clientOf(shop);
    const { item_id: item } = JSON.parse((await client.post("/stock/item/create/5")).body) as { item_id: string };
    const add = async (): Promise<string> => client.insist({ method: "POST", path: `/stock/add/${item}/1` });
    for (let stock = 1; stock <= 10; stock++) expect(await add()).toBe(String(stock));
    await withRedis(redis.url, (connection) => connection.save());
    cpSync(join(dumps, "dump.rdb"), join(dumps, "older.rdb"));

    for (let rounds = 0, stock = 10; rounds < 3; rounds++) {
      for (let more = 0; more < 10; more++) expect(await add()).toBe(String(++stock));
      await redis.kill();
      cpSync(join(dumps, "older.rdb"), join(dumps, "dump.rdb"));
      redis = await startRedis({ port: redis.port, args });
      expect(
        JSON.parse(await withRedis(redis.url, async (connection) => (await connection.get(`item:${item}`)) ?? "{}")),
      ).toMatchObject({ stock: 10 });
      expect(await client.insist({ method: "GET", path: `/stock/find/${item}` })).toBe(
        JSON.stringify({ stock, price: 5 }),
      );
    }
    expect(await stateViolations(shop, client)).toEqual([]);
  },
  4 * MINUTES,
);
