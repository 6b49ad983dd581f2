/** Checkouts by events, on real queues: what a customer sees, and what is there afterwards. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { basket, newItem, newOrder, newUser, PAID, stateOf, stockOf } from "../../test/support/goods.ts";
import { failsAfter, failsBefore, late, lost, twiceAtOnce, type MessageFault } from "../../test/support/queues.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.openWithQueues({ RESEND_MS: 150 })));
afterAll(() => shop.close());
afterEach(async () => {
  await shop.reset();
  shop.set({ RESEND_MS: 150 });
});

const checkout = (order: string, options: Parameters<Shop["post"]>[1] = {}) =>
  shop.post(`/orders/checkout/${order}`, options);
const found = async (order: string): Promise<unknown> => (await shop.get(`/orders/checkout/${order}`)).json;

describe.each([
  ["each message delivered once", false],
  ["each message delivered twice", true],
])("checkout by events, %s", (_, repeated) => {
  const prepare = async (stocked?: { stock?: number; credit?: number }) => {
    const goods = await basket(shop, stocked);
    shop.queues.repeat = repeated;
    return goods;
  };

  test("a checkout that goes well takes the stock and the credit once and pays the order, each service telling the next", async () => {
    const goods = await prepare();
    expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
    expect(await stateOf(shop, goods)).toEqual(PAID);
    await shop.queues.quiet();
    const types = shop.queues.deliveries.map(({ to, type }) => `${to} ${type}`);
    expect([...new Set(types)]).toEqual(["stock checkout_started", "payment stock_reserved", "order payment_charged"]);
    expect(shop.gateway.deliveries).toEqual([]);
    expect(await found(goods.order)).toMatchObject({ state: "paid" });
  });

  test("a paid order is answered 200, and nothing is sent", async () => {
    const goods = await prepare();
    await checkout(goods.order);
    await shop.queues.quiet();
    shop.queues.deliveries.length = 0;
    expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
    await shop.queues.quiet();
    expect(shop.queues.deliveries).toEqual([]);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("too little stock: 400, nobody is charged, and the order is free for another try", async () => {
    const goods = await prepare({ stock: 2 });
    expect(await checkout(goods.order)).toMatchObject({ status: 400, code: "insufficient_stock" });
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 2, credit: 100 });
    expect(shop.queues.count("stock_reserved")).toBe(0);
    expect(await found(goods.order)).toMatchObject({ state: "failed", failure: { code: "insufficient_stock" } });
    await shop.post(`/stock/add/${goods.item}/8`);
    expect((await checkout(goods.order)).status).toBe(200);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("too little credit: 400, and the stock is back before the answer", async () => {
    const goods = await prepare({ credit: 14 });
    expect(await checkout(goods.order)).toMatchObject({ status: 400, code: "insufficient_credit" });
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 14 });
    await shop.post(`/payment/add_funds/${goods.user}/86`);
    expect((await checkout(goods.order)).status).toBe(200);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("all items are reserved or none", async () => {
    const [plenty, few, user] = await Promise.all([
      newItem(shop, { stock: 10, price: 1 }),
      newItem(shop, { stock: 1, price: 1 }),
      newUser(shop, 100),
    ]);
    const order = await newOrder(shop, user, [
      [plenty, 2],
      [few, 2],
    ]);
    shop.queues.repeat = repeated;
    expect(await checkout(order)).toMatchObject({ status: 400, code: "insufficient_stock" });
    expect(await Promise.all([stockOf(shop, plenty), stockOf(shop, few)])).toEqual([10, 1]);
  });

  const orders: readonly (readonly [string, string, () => Promise<string>])[] = [
    [
      "unknown user",
      "unknown_user",
      async () => newOrder(shop, "nobody", [[await newItem(shop, { stock: 9, price: 5 }), 1]]),
    ],
    ["no items", "empty_order", async () => newOrder(shop, "nobody", [])],
    ["unknown order", "unknown_order", async () => "nothing-of-this-name"],
  ];
  test.each(orders)("%s: 400", async (_name, code, make) => {
    const order = await make();
    shop.queues.repeat = repeated;
    expect(await checkout(order)).toMatchObject({ status: 400, code });
  });

  const faults: readonly (readonly [string, MessageFault])[] = [
    ["is lost", lost],
    ["finds a function that fails before it has begun", failsBefore],
    ["is handled by a function that dies before the queue is told", failsAfter],
    ["comes twice at once", twiceAtOnce],
    ["comes later than it is sent again", late(400)],
  ];
  describe.each(["checkout_started", "stock_reserved", "payment_charged"])("%s", (type) => {
    test.each(faults)("%s: paid, both effects once", async (_fault, fault) => {
      const goods = await prepare();
      shop.queues.next(type, fault, 2);
      expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
      await shop.queues.quiet();
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });
  });
  describe.each(["payment_refused", "stock_released"])("%s", (type) => {
    test.each(faults)("%s: the refusal is the answer, and the stock is back", async (_fault, fault) => {
      const goods = await prepare({ credit: 14 });
      shop.queues.next(type, fault, 2);
      expect(await checkout(goods.order)).toMatchObject({ status: 400, code: "insufficient_credit" });
      await shop.queues.quiet();
      expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 14 });
    });
  });
  test.each(faults)("stock_refused %s: the refusal is the answer", async (_fault, fault) => {
    const goods = await prepare({ stock: 1 });
    shop.queues.next("stock_refused", fault, 2);
    expect(await checkout(goods.order)).toMatchObject({ status: 400, code: "insufficient_stock" });
    await shop.queues.quiet();
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 1, credit: 100 });
  });

  test("a checkout that takes longer than its request: 202 with the place to look; it goes on, and is paid", async () => {
    const goods = await prepare();
    const { fault, open } = shop.queues.gate();
    shop.queues.always("stock_reserved", fault);
    const answer = await checkout(goods.order, { time: 1_500 });
    expect(answer).toMatchObject({ status: 202, location: `/orders/checkout/${goods.order}`, retryAfter: "1" });
    expect(answer.json).toEqual({ saga_id: expect.stringMatching(/^s/), state: "running" });
    expect(await found(goods.order)).toEqual(answer.json);
    expect(await shop.post(`/orders/addItem/${goods.order}/${goods.item}/1`)).toMatchObject({ status: 409 });
    open();
    expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
    await shop.queues.quiet();
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("with its Idempotency-Key a request that was answered 202 is followed, and then has the first one's answer", async () => {
    const goods = await prepare({ credit: 14 });
    const headers = { "Idempotency-Key": `key-${goods.order}` };
    const { fault, open } = shop.queues.gate();
    shop.queues.always("stock_reserved", fault);
    const { status, json } = await checkout(goods.order, { time: 1_500, headers });
    expect([status, (await checkout(goods.order, { time: 1_500, headers })).json]).toEqual([202, json]);
    open();
    expect(await checkout(goods.order, { headers })).toMatchObject({ status: 400, code: "insufficient_credit" });
    await shop.post(`/payment/add_funds/${goods.user}/86`);
    expect(await checkout(goods.order, { headers })).toMatchObject({ status: 400, code: "insufficient_credit" });
    expect(await checkout(goods.order)).toMatchObject({ status: 200 });
  });

  test("20 checkouts of one order at once: one saga, one answer", async () => {
    const goods = await prepare();
    const answers = await Promise.all(Array.from({ length: 20 }, () => checkout(goods.order)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 paid"]));
    await shop.queues.quiet();
    expect(new Set(shop.queues.deliveries.map(({ saga }) => saga)).size).toBe(1);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("20 at once of an order that is refused: one saga, one answer", async () => {
    const goods = await prepare({ credit: 10 });
    const { fault, reached, open } = shop.queues.gate();
    shop.queues.next("stock_reserved", fault);
    const asked = Array.from({ length: 20 }, () => checkout(goods.order));
    await reached;
    setTimeout(open, 50);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(["400 insufficient_credit"]),
    );
    expect(new Set(shop.queues.deliveries.map(({ saga }) => saga)).size).toBe(1);
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 10 });
  });

  test.each([
    ["as it is", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ["without what a client adds", `01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-${"x".repeat(16_200)}`],
  ])(
    "what the customer's trace is called goes with each message %s, also where one is sent again",
    async (_, traceparent) => {
      const goods = await prepare();
      shop.queues.next("checkout_started", lost);
      expect((await checkout(goods.order, { headers: { traceparent } })).status).toBe(200);
      const traces = shop.queues.deliveries.map(
        ({ body }) => (JSON.parse(body.split("\n")[1]!) as { traceparent?: string }).traceparent,
      );
      expect(new Set(traces)).toEqual(new Set(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]));
    },
  );

  test("stock and credit made anew while a checkout is under way get nothing of what the old ones gave", async () => {
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/0");
    await shop.post("/orders/batch_init/1/1/1/5");
    shop.queues.repeat = repeated;
    const { fault, reached, open } = shop.queues.gate();
    shop.queues.always("payment_refused", fault);
    const asked = checkout("0");
    await reached;
    await shop.post("/stock/batch_init/1/10/5");
    expect(await shop.post("/orders/batch_init/1/1/1/7")).toMatchObject({ status: 409, code: "checkout_running" });
    open();
    expect(await asked).toMatchObject({ status: 400, code: "insufficient_credit" });
    expect(await stockOf(shop, "0")).toBe(10);
  });
});

test("GET /orders/checkout of an order that has none, or is none: 400", async () => {
  const { order } = await basket(shop);
  expect(await shop.get(`/orders/checkout/${order}`)).toMatchObject({ status: 400, code: "no_checkout" });
  expect(await shop.get("/orders/checkout/nobody")).toMatchObject({ status: 400, code: "unknown_order" });
});
