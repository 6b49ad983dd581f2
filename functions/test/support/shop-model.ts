/** Random histories of a shop against a few lines of arithmetic, for both ways in which a checkout may go through the services. */
import { expect } from "@jest/globals";
import fc from "fast-check";
import { creditOf, findOrder, newItem, newOrder, newUser, stockOf } from "./goods.ts";
import type { Seen, Shop } from "./shop.ts";

const ITEMS = [0, 1, 2] as const;
const USERS = [0, 1] as const;
const PRICES = [1, 5, 0] as const;

interface ModelOrder {
  readonly user: number;
  readonly lines: Map<number, number>;
  paid: boolean;
}

/** What the shop should be, in a few lines of arithmetic. */
class Model {
  readonly stock = new Map<number, number>(ITEMS.map((item) => [item, 20]));
  readonly credit = new Map<number, number>(USERS.map((user) => [user, 40]));
  readonly orders: ModelOrder[] = [];

  total = ({ lines }: ModelOrder): number =>
    [...lines].reduce((sum, [item, quantity]) => sum + PRICES[item]! * quantity, 0);

  /** @returns the code of the refusal; null where the checkout goes through if nothing comes in between */
  refusal(order: ModelOrder): string | null {
    if (order.lines.size === 0) return "empty_order";
    if ([...order.lines].some(([item, quantity]) => this.stock.get(item)! < quantity)) return "insufficient_stock";
    return this.credit.get(order.user)! < this.total(order) ? "insufficient_credit" : null;
  }

  pay(order: ModelOrder): void {
    order.paid = true;
    for (const [item, quantity] of order.lines) this.stock.set(item, this.stock.get(item)! - quantity);
    this.credit.set(order.user, this.credit.get(order.user)! - this.total(order));
  }
}

/** The real shop's ids, by the model's numbers. */
interface Real {
  readonly items: readonly string[];
  readonly users: readonly string[];
  readonly orders: string[];
}

async function fresh(shop: Shop): Promise<Real> {
  return {
    items: await Promise.all(PRICES.map((price) => newItem(shop, { stock: 20, price }))),
    users: await Promise.all(USERS.map(() => newUser(shop, 40))),
    orders: [],
  };
}

async function expectSame(shop: Shop, model: Model, real: Real): Promise<void> {
  expect(await Promise.all(ITEMS.map((i) => stockOf(shop, real.items[i]!)))).toEqual([...model.stock.values()]);
  expect(await Promise.all(USERS.map((i) => creditOf(shop, real.users[i]!)))).toEqual([...model.credit.values()]);
  const orders = await Promise.all(real.orders.map((id) => findOrder(shop, id)));
  expect(orders.map(({ paid, total_cost, items }) => ({ paid, total_cost, items }))).toEqual(
    model.orders.map((order) => ({
      paid: order.paid,
      total_cost: model.total(order),
      items: [...order.lines].map(([item, quantity]) => [real.items[item], quantity]),
    })),
  );
}

type Command = fc.AsyncCommand<Model, Real>;

const expectRefused = (answer: Seen, code: string) => expect(answer).toMatchObject({ status: 400, code });

const add = (shop: Shop, item: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.stock.set(item, model.stock.get(item)! + amount);
    expect((await shop.post(`/stock/add/${real.items[item]}/${amount}`)).body).toBe(String(model.stock.get(item)));
  },
  toString: () => `add(${item}, ${amount})`,
});

const subtract = (shop: Shop, item: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    const left = model.stock.get(item)! - amount;
    const answer = await shop.post(`/stock/subtract/${real.items[item]}/${amount}`);
    if (left < 0) return void expectRefused(answer, "insufficient_stock");
    model.stock.set(item, left);
    expect(answer).toMatchObject({ status: 200, body: String(left) });
  },
  toString: () => `subtract(${item}, ${amount})`,
});

const fund = (shop: Shop, user: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.credit.set(user, model.credit.get(user)! + amount);
    expect((await shop.post(`/payment/add_funds/${real.users[user]}/${amount}`)).json).toEqual({ done: true });
  },
  toString: () => `fund(${user}, ${amount})`,
});

const pay = (shop: Shop, user: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    const left = model.credit.get(user)! - amount;
    const answer = await shop.post(`/payment/pay/${real.users[user]}/${amount}`);
    if (left < 0) return void expectRefused(answer, "insufficient_credit");
    model.credit.set(user, left);
    expect(answer).toMatchObject({ status: 200, body: String(left) });
  },
  toString: () => `pay(${user}, ${amount})`,
});

const create = (shop: Shop, user: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.orders.push({ user: user, lines: new Map(), paid: false });
    real.orders.push(await newOrder(shop, real.users[user]!, []));
  },
  toString: () => `create(${user})`,
});

const addItem = (shop: Shop, order: number, item: number, quantity: number): Command => ({
  check: ({ orders }: Model) => orders.length > 0,
  run: async (model, real) => {
    const at = order % model.orders.length;
    const present = model.orders[at]!;
    const answer = await shop.post(`/orders/addItem/${real.orders[at]}/${real.items[item]}/${quantity}`);
    if (present.paid) return void expectRefused(answer, "order_paid");
    present.lines.set(item, (present.lines.get(item) ?? 0) + quantity);
    expect(answer).toMatchObject({ status: 200, body: String(model.total(present)) });
  },
  toString: () => `addItem(${order}, ${item}, ${quantity})`,
});

/** A fault that meets the next request to a path, or the next message of a type. */
export interface PlacedFault {
  readonly place: string;
  readonly fault: string;
}

/** How a shop is asked for a checkout: what stands in its way, and what has to be true of it afterwards. */
export interface Way {
  readonly shop: Shop;
  readonly places: readonly string[];
  readonly faults: readonly string[];
  readonly put: (fault: PlacedFault) => void;
  /** No fault is left, and nothing is under way. */
  readonly heal: () => Promise<void>;
}

/** One checkout, with faults in its way. */
const checkout = ({ shop, put, heal }: Way, order: number, faults: readonly PlacedFault[]): Command => ({
  check: ({ orders }: Model) => orders.length > 0,
  run: async (model, real) => {
    const at = order % model.orders.length;
    const present = model.orders[at]!;
    faults.forEach(put);
    const answer = await shop.post(`/orders/checkout/${real.orders[at]}`);
    await heal();
    if (present.paid) return void expect(answer).toMatchObject({ status: 200, body: "paid" });
    const refusal = model.refusal(present);
    if (answer.status === 400) return void expect(answer.code).toBe(refusal);
    if (faults.length === 0) expect(answer.status).toBe(refusal === null ? 200 : 400);
    if (answer.status === 200) {
      expect(refusal).toBeNull();
      return model.pay(present);
    }
    expect(answer).toMatchObject({ status: 503, retryAfter: "1" });
    expect(await shop.run("order/resume-sagas")).toMatchObject({ open: 0 });
  },
  toString: () => `checkout(${order}, ${JSON.stringify(faults)})`,
});

const anAmount = fc.integer({ min: 1, max: 12 });
const someFaults = ({ places, faults }: Way): fc.Arbitrary<PlacedFault[]> =>
  fc.array(fc.record({ place: fc.constantFrom(...places), fault: fc.constantFrom(...faults) }), { maxLength: 2 });

const commands = (way: Way, faultless: boolean) => {
  const { shop } = way;
  return fc.commands<Model, Real, false>(
    [
      fc.tuple(fc.nat(2), anAmount).map(([item, amount]) => add(shop, item, amount)),
      fc.tuple(fc.nat(2), anAmount).map(([item, amount]) => subtract(shop, item, amount)),
      fc.tuple(fc.nat(1), anAmount).map(([user, amount]) => fund(shop, user, amount)),
      fc.tuple(fc.nat(1), anAmount).map(([user, amount]) => pay(shop, user, amount)),
      fc.nat(1).map((user) => create(shop, user)),
      fc.tuple(fc.nat(), fc.nat(2), anAmount).map(([order, item, quantity]) => addItem(shop, order, item, quantity)),
      fc
        .tuple(fc.nat(), faultless ? fc.constant([]) : someFaults(way))
        .map(([order, faults]) => checkout(way, order, faults)),
    ],
    { maxCommands: 40, size: "max" },
  );
};

/** One after the other: each answer and the state at the end are the model's. */
export async function checkHistories(way: Way, faultless: boolean, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(commands(way, faultless), async (history) => {
      const [model, real] = [new Model(), await fresh(way.shop)];
      await fc.asyncModelRun(() => ({ model, real }), history);
      await expectSame(way.shop, model, real);
    }),
    { numRuns, endOnFailure: true },
  );
}

interface Op {
  readonly op: "add" | "subtract" | "fund" | "pay" | "checkout";
  readonly on: number;
  readonly amount: number;
}

const anOp: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom("add", "subtract", "fund", "pay", "checkout", "checkout"),
  on: fc.nat(5),
  amount: anAmount,
});

async function sixOrders(shop: Shop, model: Model, real: Real): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const lines: [number, number][] = [
      [i % 3, 1 + i],
      [(i + 1) % 3, 2],
    ];
    model.orders.push({ user: i % 2, lines: new Map(lines), paid: false });
    real.orders.push(
      await newOrder(
        shop,
        real.users[i % 2]!,
        lines.map(([item, quantity]) => [real.items[item]!, quantity] as const),
      ),
    );
  }
}

/** All at the same time: once the sagas have settled, the state is that of what was answered and paid. */
export async function checkCrowds(way: Way, numRuns: number): Promise<void> {
  const { shop, put, heal } = way;
  const property = fc.asyncProperty(
    fc.array(anOp, { minLength: 20, maxLength: 60 }),
    someFaults(way),
    someFaults(way),
    async (ops, some, more) => {
      const [model, real] = [new Model(), await fresh(shop)];
      await sixOrders(shop, model, real);
      [...some, ...more].forEach(put);
      await Promise.all(
        ops.map(async ({ op, on, amount }) => {
          const [item, user] = [on % 3, on % 2];
          const change = (rows: Map<number, number>, key: number, by: number) => rows.set(key, rows.get(key)! + by);
          if (op === "checkout") return void (await shop.post(`/orders/checkout/${real.orders[on]}`));
          const path = {
            add: `/stock/add/${real.items[item]}`,
            subtract: `/stock/subtract/${real.items[item]}`,
            fund: `/payment/add_funds/${real.users[user]}`,
            pay: `/payment/pay/${real.users[user]}`,
          }[op];
          if ((await shop.post(`${path}/${amount}`)).status !== 200) return;
          if (op === "add" || op === "subtract") change(model.stock, item, op === "add" ? amount : -amount);
          else change(model.credit, user, op === "fund" ? amount : -amount);
        }),
      );
      await heal();
      expect(await shop.run("order/resume-sagas")).toMatchObject({ open: 0 });
      for (const [i, id] of real.orders.entries()) if ((await findOrder(shop, id)).paid) model.pay(model.orders[i]!);
      await expectSame(shop, model, real);
      expect(Math.min(...model.stock.values(), ...model.credit.values())).toBeGreaterThanOrEqual(0);
    },
  );
  await fc.assert(property, { numRuns, endOnFailure: true });
}
