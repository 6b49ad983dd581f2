/** Many at once on one host get what they would get one after the other. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startShop, type Shop } from "../host/test/support/shop.ts";
import { check } from "./support/checker.ts";
import { untilSettled } from "./support/cluster.ts";
import { History, type Attempt, type Operation } from "./support/history.ts";
import { Client, errorCode } from "./support/http.ts";
import { stateViolations, violations } from "./support/invariants.ts";
import { writeHistories } from "./support/linearizability.ts";
import { openMarket, stateOf, type Market } from "./support/market.ts";

const MINUTES = 60_000;

let shop: Shop;
let client: Client;

beforeAll(async () => {
  // A checkout has nearly all the time of its request, so that none is rolled back for being slow on a machine that is
  // busy with other things.
  shop = await startShop({ environment: { LOG_LEVEL: "error", SAGA_TIMEOUT_MS: "9000", STEP_TIMEOUT_MS: "9000" } });
  client = new Client([shop.url]);
}, 2 * MINUTES);

afterAll(async () => {
  await client.close();
  await shop.stop();
}, MINUTES);

/** All of them at the same time, each on a connection of its own. */
async function atOnce(
  history: History,
  operations: readonly Operation[],
  connections = operations.length,
): Promise<Attempt[]> {
  const crowd = new Client([shop.url], connections);
  try {
    return await Promise.all(operations.map((operation) => history.attempt(crowd, operation)));
  } finally {
    await crowd.close();
  }
}

function countOf(attempts: readonly Attempt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { answer } of attempts) {
    const said =
      answer === null ? "no answer" : answer.status === 200 ? "200" : `${answer.status} ${errorCode(answer)}`;
    counts[said] = (counts[said] ?? 0) + 1;
  }
  return counts;
}

const isLate = ({ answer }: Attempt): boolean => answer === null || answer.status >= 503;

test(
  "1,000 concurrent checkouts of 1,000 users with credit for one item each, 100 in stock: exactly 100 succeed, stock 0, credit and orders agree to the unit",
  async () => {
    // A machine that cannot answer 1,000 at once in time says 503, rolls back and sells less; fewer at once must then
    // do.
    for (const connections of [1_000, 250, 50]) {
      const market = await openMarket(client, { orders: 1_000, stock: 100 });
      const history = new History();
      const answers = await atOnce(
        history,
        market.orders.map((order) => ({ name: "checkout", order })),
        connections,
      );
      expect(await violations(shop, client, market, answers)).toEqual([]);
      if (connections > 50 && answers.some(isLate)) continue;

      expect(countOf(answers)).toEqual({ "200": 100, "400 insufficient_stock": 900 });
      const { items, users, orders } = await stateOf(client, market);
      expect(items.get(market.item)).toEqual({ stock: 0, price: 5 });
      expect([...orders.values()].filter(({ paid }) => paid)).toHaveLength(100);
      for (const { user, paid } of orders.values()) expect(users.get(user)).toBe(paid ? 0 : 5);
      return;
    }
  },
  4 * MINUTES,
);

test(
  "the same order checked out 20 times at once is charged once, and all 20 are told that it is paid",
  async () => {
    for (let round = 0; round < 5; round++) {
      const market = await openMarket(client, { orders: 1, stock: 100 });
      const [order = ""] = market.orders;
      const history = new History();
      await history.attempt(client, { name: "add_funds", user: "0", amount: 1_000 });
      const answers = await atOnce(
        history,
        Array.from({ length: 20 }, () => ({ name: "checkout", order })),
      );
      expect(countOf(answers)).toEqual({ "200": 20 });
      const { items, users } = await stateOf(client, market);
      expect([items.get(market.item)?.stock, users.get("0")]).toEqual([99, 1_000]);
    }
  },
  2 * MINUTES,
);

test(
  "the same order checked out 20 times at once without enough credit is refused 20 times, by one saga, and takes nothing",
  async () => {
    const market = await openMarket(client, { orders: 1, stock: 100 });
    const [order = ""] = market.orders;
    const history = new History();
    await history.attempt(client, { name: "pay", user: "0", amount: 1 });
    const answers = await atOnce(
      history,
      Array.from({ length: 20 }, () => ({ name: "checkout", order })),
    );
    expect(countOf(answers)).toEqual({ "400 insufficient_credit": 20 });
    await untilSettled(shop, client);
    const { items, users } = await stateOf(client, market);
    expect([items.get(market.item)?.stock, users.get("0")]).toEqual([100, 4]);
  },
  2 * MINUTES,
);

test(
  "concurrent adds to one item and one user, and concurrent takers, lose none; each answer is another place in the same order",
  async () => {
    const market = await openMarket(client, { orders: 1, stock: 500 });
    const history = new History();
    const operations: Operation[] = Array.from({ length: 500 }, (_, i) => [
      { name: "add" as const, item: market.counter, amount: 1 },
      { name: "pay" as const, user: market.payer, amount: 1 },
      { name: "add_funds" as const, user: "0", amount: 1 + (i % 3) },
      { name: "subtract" as const, item: market.item, amount: 1 },
      { name: "find_item" as const, item: market.counter },
    ]).flat();
    const answers = await atOnce(history, operations, 250);
    expect(countOf(answers)).toEqual({ "200": operations.length });
    const after = await stateOf(client, market);
    expect(check(market.before, answers, after)).toEqual([]);
    expect([after.items.get(market.counter)?.stock, after.items.get(market.item)?.stock]).toEqual([500, 0]);
  },
  2 * MINUTES,
);

test(
  "twelve customers of each of ten items and users add, take and look at the same time, each key with a history of its own",
  async () => {
    const markets = await Promise.all(Array.from({ length: 10 }, () => openMarket(client, { orders: 1, stock: 3 })));
    const history = new History();
    const crowd = new Client([shop.url], 240);
    // What a search for an order of a history costs grows with how many overlap.
    const customer = async (i: number, { item, payer }: Market): Promise<void> => {
      const operations: readonly Operation[] = [
        { name: "subtract", item, amount: 1 + (i % 2) },
        { name: "find_item", item },
        { name: "add", item, amount: 1 },
        { name: "pay", user: payer, amount: 1 },
        { name: "find_user", user: payer },
      ];
      for (let n = 0; n < 12; n++) await history.attempt(crowd, operations[(n + i) % operations.length]!);
    };
    try {
      await Promise.all(markets.flatMap((market) => Array.from({ length: 12 }, (_, i) => customer(i, market))));
    } finally {
      await crowd.close();
    }
    for (const market of markets) {
      const keys = new Set([market.item, market.payer]);
      const own = history.attempts.filter(
        ({ operation }) =>
          ("item" in operation && keys.has(operation.item)) || ("user" in operation && keys.has(operation.user)),
      );
      const after = await stateOf(client, market);
      writeHistories(market.before, own, after);
      expect(check(market.before, own, after)).toEqual([]);
    }
  },
  2 * MINUTES,
);

test(
  "more takers than there is: none goes below zero, and each is refused or served",
  async () => {
    const market: Market = await openMarket(client, { orders: 1, stock: 30 });
    const answers = await atOnce(
      new History(),
      Array.from({ length: 200 }, () => ({ name: "subtract", item: market.item, amount: 1 })),
    );
    expect(countOf(answers)).toEqual({ "200": 30, "400 insufficient_stock": 170 });
    expect(new Set(answers.flatMap(({ answer }) => (answer?.status === 200 ? [answer.body] : [])))).toEqual(
      new Set(Array.from({ length: 30 }, (_, i) => String(i))),
    );
  },
  2 * MINUTES,
);

test(
  "after all of this each log is a prefix without holes, and replayed twice it equals the live state",
  async () => {
    expect(await stateViolations(shop, client)).toEqual([]);
  },
  2 * MINUTES,
);
