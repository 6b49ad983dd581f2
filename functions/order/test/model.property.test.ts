import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { after, breakBefore, delay, dropAnswer, hangAfter, insteadOf, twiceAtOnce } from "../../test/support/faults.ts";
import type { Fault } from "../../test/support/gateway.ts";
import { creditOf, findOrder, newItem, newOrder, newUser, stockOf } from "../../test/support/goods.ts";
import { Shop, type Seen } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());

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

async function fresh(): Promise<Real> {
  return {
    items: await Promise.all(PRICES.map((price) => newItem(shop, { stock: 20, price }))),
    users: await Promise.all(USERS.map(() => newUser(shop, 40))),
    orders: [],
  };
}

async function expectSame(model: Model, real: Real): Promise<void> {
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

const add = (item: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.stock.set(item, model.stock.get(item)! + amount);
    expect((await shop.post(`/stock/add/${real.items[item]}/${amount}`)).body).toBe(String(model.stock.get(item)));
  },
  toString: () => `add(${item}, ${amount})`,
});

const subtract = (item: number, amount: number): Command => ({
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

const fund = (user: number, amount: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.credit.set(user, model.credit.get(user)! + amount);
    expect((await shop.post(`/payment/add_funds/${real.users[user]}/${amount}`)).json).toEqual({ done: true });
  },
  toString: () => `fund(${user}, ${amount})`,
});

const pay = (user: number, amount: number): Command => ({
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

const create = (user: number): Command => ({
  check: () => true,
  run: async (model, real) => {
    model.orders.push({ user: user, lines: new Map(), paid: false });
    real.orders.push(await newOrder(shop, real.users[user]!, []));
  },
  toString: () => `create(${user})`,
});

const addItem = (order: number, item: number, quantity: number): Command => ({
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

const FAULTS: Readonly<Record<string, Fault>> = {
  none: (execute) => execute(),
  delay: delay(20),
  twiceAtOnce,
  "503": insteadOf(503),
  "503 after": after(503),
  "500": insteadOf(500),
  "500 after": after(500),
  dropAnswer,
  breakBefore,
  hangAfter,
};
const PATHS = ["/stock/reserve", "/stock/release", "/payment/charge", "/payment/refund"] as const;

const checkout = (order: number, faults: readonly { readonly path: string; readonly fault: string }[]): Command => ({
  check: ({ orders }: Model) => orders.length > 0,
  run: async (model, real) => {
    const at = order % model.orders.length;
    const present = model.orders[at]!;
    for (const { path, fault } of faults) shop.gateway.next(path, FAULTS[fault]!);
    const answer = await shop.post(`/orders/checkout/${real.orders[at]}`);
    shop.gateway.heal();
    await shop.gateway.quiet();
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
const someFaults = fc.array(
  fc.record({ path: fc.constantFrom(...PATHS), fault: fc.constantFrom(...Object.keys(FAULTS)) }),
  { maxLength: 2 },
);
const commands = (faultless: boolean) =>
  fc.commands<Model, Real, false>(
    [
      fc.tuple(fc.nat(2), anAmount).map(([item, amount]) => add(item, amount)),
      fc.tuple(fc.nat(2), anAmount).map(([item, amount]) => subtract(item, amount)),
      fc.tuple(fc.nat(1), anAmount).map(([user, amount]) => fund(user, amount)),
      fc.tuple(fc.nat(1), anAmount).map(([user, amount]) => pay(user, amount)),
      fc.nat(1).map((user) => create(user)),
      fc.tuple(fc.nat(), fc.nat(2), anAmount).map(([order, item, quantity]) => addItem(order, item, quantity)),
      fc.tuple(fc.nat(), faultless ? fc.constant([]) : someFaults).map(([order, faults]) => checkout(order, faults)),
    ],
    { maxCommands: 40, size: "max" },
  );

describe.each([
  ["each step delivered once", false],
  ["each step delivered twice", true],
])("random histories, %s", (_, repeated) => {
  test.each([
    ["without faults", true, 25],
    ["with faults in every place", false, 12],
  ] as const)(
    "answers and state are those of the model, %s",
    async (_how, faultless, numRuns) => {
      shop.set({ SAGA_TIMEOUT_MS: 400, STEP_TIMEOUT_MS: 150 });
      shop.gateway.repeatSteps = repeated;
      await fc.assert(
        fc.asyncProperty(commands(faultless), async (history) => {
          const [model, real] = [new Model(), await fresh()];
          await fc.asyncModelRun(() => ({ model, real }), history);
          await expectSame(model, real);
        }),
        { numRuns, endOnFailure: true },
      );
      await shop.reset();
    },
    60_000,
  );

  test("at the same time, with faults: once the sagas have settled nothing is lost, made or negative, and every order is paid with both effects or unpaid with neither", async () => {
    shop.set({ SAGA_TIMEOUT_MS: 500, STEP_TIMEOUT_MS: 150 });
    shop.gateway.repeatSteps = repeated;
    type Op = {
      readonly op: "add" | "subtract" | "fund" | "pay" | "checkout";
      readonly on: number;
      readonly amount: number;
    };
    const anOp: fc.Arbitrary<Op> = fc.record({
      op: fc.constantFrom("add", "subtract", "fund", "pay", "checkout", "checkout"),
      on: fc.nat(5),
      amount: anAmount,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anOp, { minLength: 20, maxLength: 60 }),
        someFaults,
        someFaults,
        async (ops, some, more) => {
          const real = await fresh();
          const model = new Model();
          for (let i = 0; i < 6; i++) {
            const order: ModelOrder = {
              user: i % 2,
              lines: new Map([
                [i % 3, 1 + i],
                [(i + 1) % 3, 2],
              ]),
              paid: false,
            };
            model.orders.push(order);
            real.orders.push(
              await newOrder(
                shop,
                real.users[order.user]!,
                [...order.lines].map(([item, quantity]) => [real.items[item]!, quantity] as const),
              ),
            );
          }
          for (const { path, fault } of [...some, ...more]) shop.gateway.next(path, FAULTS[fault]!);
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
          shop.gateway.heal();
          await shop.gateway.quiet();
          expect(await shop.run("order/resume-sagas")).toMatchObject({ open: 0 });
          for (const [i, id] of real.orders.entries())
            if ((await findOrder(shop, id)).paid) model.pay(model.orders[i]!);
          await expectSame(model, real);
          expect(Math.min(...model.stock.values(), ...model.credit.values())).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 10, endOnFailure: true },
    );
    await shop.reset();
  }, 60_000);
});
