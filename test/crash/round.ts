/** One round of the crash suite: a sale, what the plan has for it, and then everything has to be true. */
import { violations } from "../support/invariants.ts";
import { withRedis } from "../support/live-state.ts";
import { openMarket } from "../support/market.ts";
import { Customers } from "./customers.ts";
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
  const market = await openMarket(shop.client, { orders: ORDERS, stock: STOCK });
  const customers = new Customers(shop.client, market, new Random(plan.seed));
  await Promise.all(plan.faults.map(async ([first = [], ...later], i) => {
    shop.hosts[i]!.nextFaults = later;
    await shop.hosts[i]!.arm(first);
  }));
  const shopping = customers.shop();
  for (const event of plan.events) {
    await customers.reached(event.share);
    await happen(shop, event);
  }
  await shopping;
  await shop.heal();
  await customers.askOnceMore(market);
  const problems = await violations(shop, shop.client, market, customers.history.attempts);
  const struck = shop.struck().slice(before);
  const { target } = plan;
  if (target !== null && !struck.includes(`${target.point}:${target.action}`)) problems.push(`${plan.name} never struck`);
  return { problems, struck };
}

async function happen(shop: LeanShop, { what, services }: Event): Promise<void> {
  if (what === "power") return shop.restartAll(() => undefined);
  await Promise.all(services.map(async (service) => {
    if (what === "kill") await shop.restartRedis(service);
    else await withRedis(shop.redisUrl(service), (redis) => redis.flushall());
  }));
}
