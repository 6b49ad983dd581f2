/**
 * A monkey in a shop that keeps selling. After each of its visits everything must be true, and every checkout must be
 * settled soon.
 */
import { until, untilSettled } from "../support/cluster.ts";
import { violations } from "../support/invariants.ts";
import { withRedis } from "../support/live-state.ts";
import { Load, openMarket } from "../support/market.ts";
import { BY_EVENTS } from "../support/saga-mode.ts";
import { OlderCopies, redisArguments } from "./older.ts";
import { LeanShop, SERVICES } from "./support/lean-shop.ts";
import { Random } from "./support/random.ts";

const HOSTS = 3;
const ORDERS = 60;
const STOCK = 40;

export interface ChaosOptions {
  readonly seed: number;
  /** Visits of the monkey. */
  readonly rounds: number;
  /** Milliseconds after the last fault in which every checkout has to be settled. */
  readonly settleWithin: number;
  readonly onRound?: (round: {
    readonly strikes: readonly string[];
    readonly problems: readonly string[];
    readonly settledAfter: number;
  }) => void;
}

/** @returns everything that is not as it should be; it ends with the first round that goes wrong */
export async function runChaos({
  seed,
  rounds,
  settleWithin,
  onRound = () => undefined,
}: ChaosOptions): Promise<string[]> {
  const random = new Random(seed);
  const shop = await LeanShop.start({
    hosts: HOSTS,
    ownDisk: true,
    redisArguments,
  });
  const copies = new OlderCopies(shop);
  const deck: Strike[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      if (deck.length < 3) deck.push(...random.shuffled(STRIKES));
      const strikes = deck.splice(0, random.integer(1, 3));
      const { problems, settledAfter } = await visit(shop, copies, strikes, random, settleWithin);
      onRound({ strikes: strikes.map(({ name }) => name), problems, settledAfter });
      if (problems.length > 0)
        return [`seed ${seed}, round ${round + 1} (${strikes.map(({ name }) => name).join(", ")})`, ...problems];
    }
    return [];
  } finally {
    await shop.stop();
  }
}

async function visit(
  shop: LeanShop,
  copies: OlderCopies,
  strikes: readonly Strike[],
  random: Random,
  settleWithin: number,
): Promise<{ problems: string[]; settledAfter: number }> {
  await copies.keep();
  const market = await openMarket(shop.client, { orders: ORDERS, stock: STOCK });
  const load = new Load(shop.client, market, { customers: 12 });
  const enough = market.orders.length / (strikes.length + 1);
  for (const [i, { strike }] of strikes.entries()) {
    await load.reached(((i + 1) * enough) / market.orders.length);
    await strike(shop, random, copies);
  }
  const lastFault = performance.now();
  await shop.heal();
  await load.stop();
  const problems: string[] = [];
  const left = Math.max(0, settleWithin - (performance.now() - lastFault));
  await untilSettled(shop, shop.client, left).catch(() => {
    problems.push(`checkouts are open ${settleWithin} ms after the last fault`);
  });
  const settledAfter = performance.now() - lastFault;
  problems.push(...(await violations(shop, shop.client, market, load.history.attempts)));
  return { problems, settledAfter };
}

interface Strike {
  readonly name: string;
  readonly strike: (shop: LeanShop, random: Random, copies: OlderCopies) => Promise<void>;
}

const STRIKES: readonly Strike[] = [
  { name: "a host is killed", strike: async (shop, random) => random.one(shop.hosts).signal("SIGKILL") },
  { name: "a Redis is killed", strike: (shop, random) => shop.restartRedis(random.one(SERVICES)) },
  { name: "everything is killed", strike: (shop) => shop.restartAll() },
  { name: "a host sleeps through a restore", strike: sleepThroughRestore },
  {
    name: "an older copy of a Redis is put back",
    strike: (_shop, random, copies) => copies.restart(random.one(SERVICES)),
  },
  {
    name: "an older copy is put back in the same Redis process",
    strike: (_shop, random, copies) => copies.reload(random.one(SERVICES)),
  },
  {
    name: "a Redis follows a replica that lags, and returns",
    strike: (_shop, random, copies) => copies.follow(random.one(SERVICES)),
  },
  { name: "an older log is put back", strike: (_shop, _random, copies) => copies.putLog() },
  { name: "the disk is full", strike: fillDisk },
  ...(BY_EVENTS
    ? [{ name: "the queue server is killed with all it holds", strike: (shop: LeanShop) => shop.restartQueues() }]
    : []),
];

async function sleepThroughRestore(shop: LeanShop, random: Random): Promise<void> {
  const [host, service] = [random.one(shop.hosts), random.one(SERVICES)];
  host.signal("SIGSTOP");
  try {
    await withRedis(shop.redisUrl(service), (redis) => redis.flushall());
    await until(`${service} is restored`, () =>
      withRedis(shop.redisUrl(service), async (redis) => (await redis.exists("log:guard")) === 1),
    );
  } finally {
    host.signal("SIGCONT");
  }
}

/** Waits until somebody has been refused because of it. */
async function fillDisk(shop: LeanShop): Promise<void> {
  if (shop.disk?.canBeFull === true) shop.disk.fill();
  else
    await shop.arm([
      { point: "append.before", action: "ENOSPC", nth: 0 },
      { point: "begin.before", action: "ENOSPC", nth: 0 },
    ]);
  try {
    await until("the disk is full", async () => (await shop.client.post("/payment/create_user")).status >= 500, 20_000);
  } finally {
    shop.disk?.free();
    await shop.arm([]);
  }
}
