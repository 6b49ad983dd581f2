/**
 * The shop as `npm start` runs it, with further hosts: processes are killed while customers are at work, and once all
 * is quiet again every answer that they got is still true. test/crash has what can happen at each instruction.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { hostName, signal, startCluster, untilServing, type Cluster } from "./support/cluster.ts";
import { Client } from "./support/http.ts";
import { violations } from "./support/invariants.ts";
import { Load, openMarket, stateOf, type Market } from "./support/market.ts";

const MINUTES = 60_000;
/** Orders of a sale that has to last while something is killed. */
const ORDERS = 200;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 3 * MINUTES);

afterAll(async () => {
  await cluster.stop();
}, MINUTES);

/** Opens a sale, lets `fault` happen during it, and checks everything when it is quiet. */
async function saleWith(
  fault: (load: Load) => Promise<void>,
  orders = ORDERS,
): Promise<{ market: Market; load: Load }> {
  const { shop, further, client } = cluster;
  await untilServing([shop, ...further]);
  const market = await openMarket(client, { orders, stock: orders / 10 });
  const load = new Load(client, market);
  try {
    await fault(load);
    await load.sold;
    await untilServing([shop, ...further]);
    await load.answered(100);
  } finally {
    await load.stop();
  }
  expect(await violations(shop, client, market, load.history.attempts)).toEqual([]);
  return { market, load };
}

test(
  "three hosts: 300 checkouts of 300 users for 30 items sell exactly 30, and lose nothing that was added or paid beside them",
  async () => {
    const { market } = await saleWith(async () => undefined, 300);
    const { items } = await stateOf(cluster.client, market);
    expect(items.get(market.item)?.stock).toBe(0);
  },
  5 * MINUTES,
);

test(
  "each Redis, the supervised host and a further one killed under load: the supervisors bring them back, and nothing that was answered is lost",
  async () => {
    await saleWith(async (load) => {
      const [host] = cluster.further;
      for (const [share, kill] of [
        [0.15, () => signal(cluster.shop, "redis-stock", "SIGKILL")],
        [0.3, () => signal(host!, hostName(host!), "SIGKILL")],
        [0.45, () => signal(cluster.shop, "redis-payment", "SIGKILL")],
        [0.6, () => signal(cluster.shop, "host", "SIGKILL")],
        [0.75, () => signal(cluster.shop, "redis-order", "SIGKILL")],
      ] as const) {
        await load.reached(share);
        await kill();
      }
    });
  },
  5 * MINUTES,
);

test(
  "a host killed for good, and nobody asks again: the others settle its sagas by themselves",
  async () => {
    const [staying, host] = cluster.further;
    const market = await openMarket(cluster.client, { orders: 100, stock: 10 });
    const load = new Load(cluster.client, market);
    await load.reached(0.5);
    host!.supervisor.kill("SIGKILL");
    await signal(host!, hostName(host!), "SIGKILL");
    await load.stop();
    cluster.further.splice(1, 1);
    await host!.stop();
    const client = new Client([cluster.shop.url, staying!.url]);
    try {
      expect(await violations(cluster.shop, client, market, load.history.attempts)).toEqual([]);
    } finally {
      await client.close();
    }
  },
  5 * MINUTES,
);
