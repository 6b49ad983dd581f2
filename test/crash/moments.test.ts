/** Faults that have to strike at one moment: a host freezes just when it has committed, a Redis loses all that it has. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { join } from "node:path";
import { until } from "../support/cluster.ts";
import { Client } from "../support/http.ts";
import { stateViolations, violations } from "../support/invariants.ts";
import { withRedis } from "../support/live-state.ts";
import { readPlainLog } from "../support/log.ts";
import { eachOf, Load, openMarket } from "../support/market.ts";
import { LeanShop, type Service } from "./support/lean-shop.ts";

const MINUTES = 60_000;

let shop: LeanShop;
beforeAll(async () => (shop = await LeanShop.start({ hosts: 3 })), MINUTES);
afterAll(() => shop.stop(), MINUTES);

/** A sale with more load on the first host, which always has commits on their way then, and some on the others, which never wait for it. */
async function saleBesideFirst(fault: (load: Load) => Promise<void>): Promise<void> {
  const market = await openMarket(shop.client, { orders: 60, stock: 20 });
  const load = new Load(shop.client, market, { customers: 8 });
  const [first, ...others] = shop.hosts.map(({ url }) => url);
  const clients = [new Client([first!]), new Client(others)] as const;
  const ends = [load.alsoAdd(clients[0], 16), load.alsoAdd(clients[1], 8)];
  try {
    await fault(load);
  } finally {
    await shop.heal();
    await Promise.all(ends.map((end) => end()));
    await load.stop();
    await Promise.all(clients.map((client) => client.close()));
  }
  expect(await violations(shop, shop.client, market, load.history.attempts)).toEqual([]);
}

async function frozen(
  hosts: readonly { signal(what: NodeJS.Signals): void }[],
  work: () => Promise<void>,
): Promise<void> {
  for (const host of hosts) host.signal("SIGSTOP");
  try {
    await work();
  } finally {
    for (const host of hosts) host.signal("SIGCONT");
  }
}

const untilRestored = (service: Service): Promise<void> =>
  until(`${service} is restored`, () =>
    withRedis(shop.redisUrl(service), async (redis) => (await redis.exists("log:guard")) === 1),
  );

test(
  "a host that was frozen while the others restored a Redis gives no answer that the log does not have",
  async () => {
    const [host, ...others] = shop.hosts;
    await withRedis(shop.redisUrl("stock"), async (redis) => {
      await saleBesideFirst(async (load) => {
        for (let times = 1; times <= 5; times++) {
          await load.answered(50);
          // The host is alone, so that nobody else has written its last commit into the log when the Redis loses it.
          // And it has just committed, so that it has not done so itself.
          await frozen(others, async () => {
            await load.answered(5);
            await redis.xread("BLOCK", 10_000, "STREAMS", "log:tail", "$");
            host!.signal("SIGSTOP");
            await redis.flushall();
          });
          await untilRestored("stock");
          host!.signal("SIGCONT");
        }
      });
    });
  },
  5 * MINUTES,
);

test(
  "no commit is in the log before what it has seen: while a host is frozen with commits that it has not written, the log has no hole",
  async () => {
    await saleBesideFirst(async (load) => {
      for (let times = 1; times <= 6; times++) {
        await load.answered(50);
        await frozen(shop.hosts.slice(0, 1), async () => {
          await load.answered(20);
          // The others write meanwhile, so a file that is read later may be ahead of one that was read before.
          await until(
            "the log has no hole",
            () => readPlainLog(join(shop.dataDir, "log", "stock")).problems.length === 0,
            10_000,
          );
        });
      }
    });
  },
  5 * MINUTES,
);

test(
  "a Redis that is emptied while it runs is neither written to nor answered from until its state is back",
  async () => {
    const users: string[] = [];
    let stopped = false;
    const makers = Array.from({ length: 24 }, async () => {
      while (!stopped) {
        const answer = await shop.client.post("/payment/create_user");
        if (answer.status === 200) users.push((JSON.parse(answer.body) as { user_id: string }).user_id);
        else expect([503, 504]).toContain(answer.status);
      }
    });
    for (let times = 1; times <= 10; times++) {
      const enough = users.length + 40;
      await until("more are made", () => users.length >= enough);
      await withRedis(shop.redisUrl("payment"), (redis) => redis.flushall());
      await untilRestored("payment");
    }
    stopped = true;
    await Promise.all(makers);
    const isThere = async (user: string): Promise<boolean> => {
      for (;;) {
        const { status } = await shop.client.get(`/payment/find_user/${user}`);
        if (status === 200 || status === 400) return status === 200;
      }
    };
    expect((await eachOf(users, 32, async (user) => ((await isThere(user)) ? [] : [user]))).flat()).toEqual([]);
    expect(await stateViolations(shop, shop.client)).toEqual([]);
  },
  5 * MINUTES,
);
