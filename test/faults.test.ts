/** Processes are killed while customers are at work; once it is quiet again, every answer that they got is still true. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { join } from "node:path";
import type { Service } from "../host/configuration.ts";
import type { Shop } from "../host/test/support/shop.ts";
import { hostName, signal, startCluster, until, untilServing, type Cluster } from "./support/cluster.ts";
import { Client } from "./support/http.ts";
import { stateViolations, violations } from "./support/invariants.ts";
import { withRedis } from "./support/live-state.ts";
import { readPlainLog } from "./support/log.ts";
import { eachOf, Load, openMarket, stateOf, type Market } from "./support/market.ts";

const MINUTES = 60_000;
/** Of a sale that has to last while something is killed. */
const ORDERS = 400;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(3);
}, 3 * MINUTES);

afterAll(async () => {
  await cluster.stop();
}, MINUTES);

/** Opens a sale, lets `fault` happen during it, and checks everything when it is quiet. */
async function saleWith(fault: (load: Load) => Promise<void>, orders = ORDERS): Promise<{ market: Market; load: Load }> {
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

test("three hosts: 1,000 checkouts of 1,000 users for 100 items sell exactly 100, and lose nothing that was added or paid beside them", async () => {
  const { market } = await saleWith(async () => undefined, 1_000);
  const { items } = await stateOf(cluster.client, market);
  expect(items.get(market.item)?.stock).toBe(0);
}, 5 * MINUTES);

test("a host killed again and again under load: what it had answered holds, what it had begun is settled", async () => {
  await saleWith(async (load) => {
    for (const share of [0.2, 0.5, 0.8]) {
      await load.reached(share);
      const [host] = cluster.further;
      await signal(host!, hostName(host!), "SIGKILL");
    }
  }, 1_000);
}, 5 * MINUTES);

test("the supervised host killed in the middle of checkouts: each of its sagas ends paid with both effects or unpaid with neither", async () => {
  await saleWith(async (load) => {
    for (const share of [0.3, 0.6]) {
      await load.reached(share);
      await signal(cluster.shop, "host", "SIGKILL");
    }
  });
}, 5 * MINUTES);

test.each(["order", "stock", "payment"] as const)("the Redis of %s killed again and again under load: nothing that was answered is lost", async (service) => {
  await saleWith(async (load) => {
    for (const share of [0.2, 0.5, 0.8]) {
      await load.reached(share);
      await signal(cluster.shop, `redis-${service}`, "SIGKILL");
      await load.answered(20);
    }
  });
}, 5 * MINUTES);

test("all three Redis servers and a host killed at once: nothing that was answered is lost", async () => {
  await saleWith(async (load) => {
    for (const share of [0.25, 0.6]) {
      await load.reached(share);
      const [host] = cluster.further;
      await Promise.all([
        ...["redis-order", "redis-stock", "redis-payment"].map((name) => signal(cluster.shop, name, "SIGKILL")),
        signal(host!, hostName(host!), "SIGKILL"),
      ]);
      await load.answered(20);
    }
  });
}, 5 * MINUTES);

test("a Redis that hangs for longer than a step may take: what was done after its caller had given up is undone", async () => {
  await saleWith(async (load) => {
    for (const service of ["payment", "stock", "payment"] as const) {
      await load.answered(100);
      await signal(cluster.shop, `redis-${service}`, "SIGSTOP");
      try {
        await load.givenUp();
      } finally {
        await signal(cluster.shop, `redis-${service}`, "SIGCONT");
      }
    }
  });
}, 5 * MINUTES);

/** A sale with more load on one host, which always has commits on their way then, and some on the others, which never wait for it. */
async function saleBeside(host: Shop, fault: (load: Load) => Promise<void>): Promise<void> {
  const others = [cluster.shop, ...cluster.further].filter((other) => other !== host);
  const [crowd, rest] = [new Client([host.url]), new Client(others.map(({ url }) => url))];
  try {
    await saleWith(async (load) => {
      const ends = [load.alsoAdd(crowd, 32), load.alsoAdd(rest, 8)];
      try {
        await fault(load);
      } finally {
        await Promise.all(ends.map((end) => end()));
      }
    }, 200);
  } finally {
    await Promise.all([crowd.close(), rest.close()]);
  }
}

async function signalHosts(hosts: readonly Shop[], what: NodeJS.Signals): Promise<void> {
  await Promise.all(hosts.map((host) => signal(host, host === cluster.shop ? "host" : hostName(host), what)));
}

async function frozen(hosts: readonly Shop[], work: () => Promise<void>): Promise<void> {
  await signalHosts(hosts, "SIGSTOP");
  try {
    await work();
  } finally {
    await signalHosts(hosts, "SIGCONT");
  }
}

test("a host that was frozen while the others restored a Redis gives no answer that the log does not have", async () => {
  const host = cluster.further[1]!;
  const others = [cluster.shop, cluster.further[0]!];
  const pid = host.pid(hostName(host));
  await withRedis(cluster.shop.redisUrl("stock"), async (redis) => {
    await saleBeside(host, async (load) => {
      for (let times = 1; times <= 10; times++) {
        await load.answered(100);
        // Alone, so that nobody else has written its last commit into the log when the Redis loses it; and at the moment at
        // which it has just committed, so that it has not done so itself.
        await frozen(others, async () => {
          await load.answered(5);
          await redis.xread("BLOCK", 10_000, "STREAMS", "log:tail", "$");
          process.kill(pid, "SIGSTOP");
          await redis.flushall();
        });
        try {
          await untilRestored("stock");
        } finally {
          await signalHosts([host], "SIGCONT");
        }
      }
    });
  });
}, 5 * MINUTES);

test("no commit is in the log before what it has seen: while a host is frozen with commits that it has not written, the log has no hole", async () => {
  const host = cluster.further[1]!;
  await saleBeside(host, async (load) => {
    for (let times = 1; times <= 15; times++) {
      await load.answered(100);
      await frozen([host], async () => {
        await load.answered(20);
        // The others write meanwhile, and a file that is read later may be ahead of one that was read before.
        await until("the log has no hole", () => readPlainLog(join(cluster.shop.dataDir, "log", "stock")).problems.length === 0, 10_000);
      });
    }
  });
}, 5 * MINUTES);

test("a Redis that is emptied while it runs is neither written to nor answered from until its state is back", async () => {
  await saleWith(async (load) => {
    for (const share of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      await load.reached(share);
      for (const service of ["stock", "payment", "order"] as const) await emptied(service);
    }
  });
}, 5 * MINUTES);

test("whoever was made while a Redis was emptied again and again is there", async () => {
  const { shop, client } = cluster;
  const users: string[] = [];
  let stopped = false;
  const makers = Array.from({ length: 24 }, async () => {
    while (!stopped) {
      const answer = await client.post("/payment/create_user");
      if (answer.status === 200) users.push((JSON.parse(answer.body) as { user_id: string }).user_id);
      else expect([503, 504]).toContain(answer.status);
    }
  });
  for (let times = 1; times <= 20; times++) {
    const enough = users.length + 60;
    await until("more are made", () => users.length >= enough);
    await emptied("payment");
  }
  stopped = true;
  await Promise.all(makers);
  const exists = async (user: string): Promise<boolean> => {
    for (;;) {
      const { status } = await client.get(`/payment/find_user/${user}`);
      if (status === 200 || status === 400) return status === 200;
    }
  };
  const lost = (await eachOf(users, 64, async (user) => ((await exists(user)) ? [] : [user]))).flat();
  expect(lost).toEqual([]);
  expect(await stateViolations(shop, client)).toEqual([]);
}, 5 * MINUTES);

/** Loses the state of a Redis without ending a connection, and waits until somebody has restored it. */
async function emptied(service: Service): Promise<void> {
  await withRedis(cluster.shop.redisUrl(service), (redis) => redis.flushall());
  await untilRestored(service);
}

async function untilRestored(service: Service): Promise<void> {
  await until(`${service} is restored`, () => withRedis(cluster.shop.redisUrl(service), async (redis) => (await redis.exists("log:guard")) === 1));
}

test("a host killed for good, and nobody asks again: the others settle its sagas by themselves", async () => {
  const [staying, host] = cluster.further;
  const market = await openMarket(cluster.client, { orders: 300, stock: 30 });
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
}, 5 * MINUTES);
