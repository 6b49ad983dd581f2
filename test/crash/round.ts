/** One round of the crash suite: a sale, with what the plan has for it. Then everything has to be true. */
import { violations } from "../support/invariants.ts";
import { withRedis } from "../support/live-state.ts";
import { openMarket } from "../support/market.ts";
import { Customers } from "./customers.ts";
import { OlderCopies } from "./older.ts";
import type { Event, Plan } from "./plan.ts";
import type { LeanShop } from "./support/lean-shop.ts";
import { Random } from "./support/random.ts";

export interface Outcome {
  /** Everything that is not as it should be; empty where nothing is. */
  readonly problems: readonly string[];
  /** `name:action` of every fault that has struck. */
  readonly struck: readonly string[];
}

const ORDERS = 10;
const STOCK = 7;

export async function runRound(shop: LeanShop, plan: Plan): Promise<Outcome> {
  const before = shop.struck().length;
  const copies = new OlderCopies(shop);
  if (plan.events.some(({ what }) => what === "older")) await copies.keep();
  const market = await openMarket(shop.client, { orders: ORDERS, stock: STOCK });
  const customers = new Customers(shop.client, market, new Random(plan.seed));
  await Promise.all(
    plan.faults.map(async ([first = [], ...later], i) => {
      shop.hosts[i]!.nextFaults = later;
      await shop.hosts[i]!.arm(first);
    }),
  );
  const problems: string[] = [];
  const shopping = customers.shop();
  for (const event of plan.events) {
    await customers.reached(event.share);
    problems.push(...(await happen(shop, event, { copies, random: new Random(plan.seed) })));
  }
  await shopping;
  await shop.heal();
  await customers.askOnceMore(market);
  problems.push(...(await violations(shop, shop.client, market, customers.history.attempts)));
  const struck = shop.struck().slice(before);
  const { target } = plan;
  if (target !== null && !struck.includes(`${target.point}:${target.action}`))
    problems.push(`${plan.name} never struck`);
  return { problems, struck };
}

/** @returns what is wrong already */
async function happen(
  shop: LeanShop,
  { what, services }: Event,
  { copies, random }: { readonly copies: OlderCopies; readonly random: Random },
): Promise<string[]> {
  if (what === "power") {
    // A disk may keep more than it has to, and in any order.
    const kept = random.one([0, 0.5, 0.9]);
    return shop.losePower(() => random.next() < kept);
  }
  if (what === "queues") {
    await shop.restartQueues();
    return [];
  }
  await Promise.all(
    services.map(async (service) => {
      if (what === "kill") await shop.restartRedis(service);
      else if (what === "older") await copies.restart(service);
      else if (what === "replica") await copies.follow(service);
      else await withRedis(shop.redisUrl(service), (redis) => redis.flushall());
    }),
  );
  return [];
}
