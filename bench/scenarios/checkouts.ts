import { figures } from "../load/figures.ts";
import type { Bench, Row, Scenario } from "../rows.ts";
import { CREDIT, PRICE, range, Shop, STOCK } from "../shop.ts";
import { commitsOf, perCheckout } from "../meters.ts";

/** Items of an order: two that are drawn, or one twice. */
const QUANTITY = 2;

interface Variant {
  readonly items: number;
  readonly users: number;
  /**
   * One user in this many has no credit: its checkouts are refused at the charge, and what was reserved is released.
   */
  readonly poorEvery?: number;
}

interface Checkouts {
  readonly count: number;
  readonly connections: number;
  readonly rate?: number;
}

export const DISTINCT: Variant = { items: 1_000, users: 1_000 };

/** Orders of a round at this many connections: some seconds' worth. */
const ORDERS: Readonly<Record<number, number>> = { 1: 1_000, 10: 3_000, 50: 6_000, 200: 10_000 };

export const distinctOrders: Scenario = {
  name: "distinct-orders",
  about: "fresh orders of 1,000 users and 1,000 items, each checked out once",
  async run(bench) {
    const rows: Row[] = [];
    for (const connections of bench.connections) {
      const row = await checkouts(bench, DISTINCT, { count: ORDERS[connections] ?? 5_000, connections });
      rows.push({ ...row, what: `checkouts, ${connections} ${connections === 1 ? "connection" : "connections"}` });
    }
    const most = Math.max(...rows.map(({ value }) => value));
    const rate = Math.round(bench.rate ?? 0.7 * most);
    const open = await checkouts(bench, DISTINCT, { count: Math.max(500, rate * 4), connections: 200, rate });
    rows.push({ ...open, what: "checkouts, open loop", note: `${rate}/s were due, latency from when they were due` });
    return rows;
  },
};

export const hotItem: Scenario = {
  name: "hot-item",
  about: "every order is for the same item",
  run: async (bench) => [
    {
      ...(await checkouts(bench, { items: 1, users: 1_000 }, { count: 5_000, connections: 50 })),
      what: "checkouts, one hot item, 50 connections",
    },
  ],
};

export const hotUser: Scenario = {
  name: "hot-user",
  about: "every order is of the same user",
  run: async (bench) => [
    {
      ...(await checkouts(bench, { items: 1_000, users: 1 }, { count: 5_000, connections: 50 })),
      what: "checkouts, one hot user, 50 connections",
    },
  ],
};

export const failures: Scenario = {
  name: "failures",
  about: "5 % of the users have no credit: their checkouts are compensated",
  run: async (bench) => [
    {
      ...(await checkouts(bench, { ...DISTINCT, poorEvery: 20 }, { count: 5_000, connections: 50 })),
      what: "checkouts, 5 % compensated, 50 connections",
    },
  ],
};

/** How many orders the customers draw from, and how often they draw, as in public load tests of such shops. */
const DRAWN_FROM = 100_000;
const DRAWS = 10_000;

export const randomOrders: Scenario = {
  name: "random-orders",
  about: `each customer draws one of ${DRAWN_FROM.toLocaleString("en")} orders, and may draw one that is paid: figures to compare with published ones`,
  async run(bench) {
    const shop = new Shop(bench);
    const [from, draws] = [DRAWN_FROM, DRAWS].map((many) => Math.max(100, Math.round(many * bench.scale))) as [
      number,
      number,
    ];
    await shop.fill({ ...DISTINCT, orders: from });
    const drawn = range(draws).map(() => Math.floor(Math.random() * from));
    const paths = drawn.map((id) => `/orders/checkout/${id}`);
    const result = await bench.load.run({ url: bench.target.url, method: "POST", connections: 50, paths });
    const firsts = new Set(drawn).size;
    const measured = figures(result, result.statuses.filter((status) => status === 200).length);
    return [
      {
        what: "checkouts of orders drawn at random, 50 connections",
        value: measured.perSecond,
        unit: "/s",
        figures: measured,
        note: `${((100 * firsts) / draws).toFixed(0)} % of them the first of their order`,
      },
    ];
  },
};

/** Checks out, once each, orders that never were; only those that are paid afterwards count. */
async function checkouts(
  bench: Bench,
  variant: Variant,
  { count, connections, rate }: Checkouts,
): Promise<Omit<Row, "what">> {
  const shop = new Shop(bench);
  const orders = Math.max(connections, Math.round(count * bench.scale));
  await shop.fill({ ...variant, orders });
  const poor =
    variant.poorEvery === undefined ? [] : range(variant.users).filter((user) => user % (variant.poorEvery ?? 1) === 0);
  for (const user of poor) await shop.post(`/payment/pay/${user}/${CREDIT}`);

  const before = await commitsOf(bench.target);
  const result = await bench.load.run({
    url: bench.target.url,
    method: "POST",
    connections,
    paths: range(orders).map((id) => `/orders/checkout/${id}`),
    ...(rate === undefined ? {} : { rate }),
  });
  const after = await commitsOf(bench.target);
  const { paid, ...rest } = await verify(shop, variant, poor, result.statuses);
  const measured = figures(result, paid);
  return { value: measured.perSecond, unit: "/s", figures: measured, ...perCheckout(before, after, paid), ...rest };
}

/**
 * Compares what is there with what was answered.
 * @returns how many orders were answered 200 and are paid; what is untrue: answers, or that credit, stock and orders agree with each other
 */
async function verify(
  shop: Shop,
  { items, users }: Variant,
  poor: readonly number[],
  statuses: readonly number[],
): Promise<{ paid: number; untrue?: string }> {
  const orders = await shop.read<{ paid: boolean; user_id: string }>(
    range(statuses.length).map((id) => `/orders/find/${id}`),
  );
  const poorUsers = new Set(poor.map(String));
  const untrue: string[] = [];
  let sold = 0;
  let answered = 0;
  orders.forEach(({ paid, user_id: user }, id) => {
    const status = statuses[id];
    if (status === 200 && !paid) untrue.push(`order ${id} was answered 200 and is not paid`);
    if (status === 400 && paid) untrue.push(`order ${id} was refused and is paid`);
    if (paid && poorUsers.has(user)) untrue.push(`order ${id} is paid by user ${user}, who has no credit`);
    if (paid) sold += QUANTITY;
    if (status === 200 && paid) answered++;
  });
  const stock = await shop.read<{ stock: number }>(range(items).map((item) => `/stock/find/${item}`));
  const credit = await shop.read<{ credit: number }>(range(users).map((user) => `/payment/find_user/${user}`));
  const taken = stock.reduce((sum, row) => sum + STOCK - row.stock, 0);
  const spent = credit.reduce((sum, row, user) => sum + (poorUsers.has(String(user)) ? 0 : CREDIT) - row.credit, 0);
  if (taken !== sold || spent !== sold * PRICE)
    untrue.push(`orders for ${sold} items are paid, ${taken} items are taken, ${spent} credit is spent`);
  const [first] = untrue;
  return {
    paid: answered,
    ...(first === undefined ? {} : { untrue: untrue.length === 1 ? first : `${first}, and ${untrue.length - 1} more` }),
  };
}
