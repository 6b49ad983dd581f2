/** The bounded part of the chaos run; longer: `npm run crash -- --chaos`. */
import { expect, test } from "@jest/globals";
import { until, untilSettled } from "../support/cluster.ts";
import { openMarket } from "../support/market.ts";
import { openClaims } from "../support/live-state.ts";
import { fold, readPlainLog } from "../support/log.ts";
import { runChaos } from "./chaos.ts";
import { OlderCopies, redisArguments } from "./older.ts";
import { LeanShop } from "./support/lean-shop.ts";

const MINUTES = 60_000;

test(
  "a monkey kills hosts, each Redis and everything, freezes a writer through a restore, puts back old copies and fills the disk: nothing is lost, and all checkouts are settled",
  async () => {
    const struck = new Set<string>();
    // The promise is 10 s on a machine that has nothing else to do. Here it only has to come to an end.
    const problems = await runChaos({
      seed: 7,
      rounds: 5,
      settleWithin: 60_000,
      onRound: ({ strikes }) => strikes.forEach((strike) => struck.add(strike)),
    });
    expect(problems).toEqual([]);
    expect(struck.size).toBe(9);
  },
  10 * MINUTES,
);

test(
  "a checkout that an older copy of a Redis does not show is not taken for settled",
  async () => {
    const shop = await LeanShop.start({ hosts: 1, redisArguments, environment: { SAGA_TIMEOUT_MS: "4000" } });
    try {
      const copies = new OlderCopies(shop);
      const { orders } = await openMarket(shop.client, { orders: 1, stock: 1 });
      await copies.keep();
      await shop.arm([{ point: "saga.reserve.after", action: "delay", ms: 60_000, nth: 1 }]);
      const cut = shop.client.post(`/orders/checkout/${orders[0]!}`).catch(() => null);
      await until("it is under way", async () => (await openClaims(shop.redisUrl("order"))) === 1);
      const open: string[] = [];
      let settled: Promise<void> | undefined;
      // Somebody looks before the host is there that restores it.
      await copies.reload("order", () => {
        settled = untilSettled(shop, shop.client).then(() => {
          const keys = [...fold(readPlainLog(shop.logFolder("order")).records).keys()];
          open.push(...keys.filter((key) => key.startsWith("claim:")));
        });
      });
      await Promise.all([cut, settled]);
      expect(open).toEqual([]);
    } finally {
      await shop.stop();
    }
  },
  2 * MINUTES,
);
