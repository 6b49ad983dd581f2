import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { breakBefore, hang, insteadOf } from "../../test/support/faults.ts";
import { basket, findOrder, newItem, newOrder } from "../../test/support/goods.ts";
import { Shop } from "../../test/support/shop.ts";
import { claimKey } from "../orders.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

const MAX = Number.MAX_SAFE_INTEGER;
const refusal = (code: string) => ({ status: 400, type: "application/json", code, retryAfter: undefined });

test("POST /orders/create/{user_id} answers the id of an empty, unpaid order", async () => {
  const answer = await shop.post("/orders/create/somebody");
  expect(answer).toMatchObject({
    status: 200,
    type: "application/json",
    json: { order_id: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/) },
  });
  const { order_id } = answer.json as { order_id: string };
  const found = await shop.get(`/orders/find/${order_id}`);
  expect(found).toMatchObject({ status: 200, type: "application/json" });
  expect(found.json).toEqual({ order_id, paid: false, items: [], user_id: "somebody", total_cost: 0 });
});

test.each(["no.body", "%20", "x".repeat(65)])("an order of %j is refused", async (user) => {
  expect(await shop.post(`/orders/create/${user}`)).toMatchObject(refusal("invalid_id"));
});

describe("POST /orders/addItem", () => {
  test("answers the new total, at the price that the stock service has, and joins lines of one item", async () => {
    const [a, b] = await Promise.all([newItem(shop, { stock: 0, price: 5 }), newItem(shop, { stock: 0, price: 7 })]);
    const order = await newOrder(shop, "somebody", []);
    expect(await shop.post(`/orders/addItem/${order}/${a}/2`)).toMatchObject({
      status: 200,
      type: "text/plain; charset=utf-8",
      body: "10",
    });
    expect(await shop.post(`/orders/addItem/${order}/${b}/1`)).toMatchObject({ body: "17" });
    expect(await shop.post(`/orders/addItem/${order}/${a}/1`)).toMatchObject({ body: "22" });
    expect(await findOrder(shop, order)).toEqual({
      order_id: order,
      paid: false,
      items: [
        [a, 3],
        [b, 1],
      ],
      user_id: "somebody",
      total_cost: 22,
    });
  });

  test("refuses unknown orders, unknown items, and what cannot be one", async () => {
    const item = await newItem(shop, { stock: 0, price: 5 });
    const order = await newOrder(shop, "somebody", []);
    expect(await shop.post(`/orders/addItem/nowhere/${item}/1`)).toMatchObject(refusal("unknown_order"));
    expect(await shop.post(`/orders/addItem/${order}/nowhere/1`)).toMatchObject(refusal("unknown_item"));
    expect(await shop.post(`/orders/addItem/a.b/${item}/1`)).toMatchObject(refusal("invalid_id"));
    expect(await shop.post(`/orders/addItem/${order}/a.b/1`)).toMatchObject(refusal("invalid_id"));
  });

  test.each(["0", "-1", "1.5", "1e3", "", "abc", String(2 ** 53), "9".repeat(100)])(
    "refuses the quantity %j",
    async (quantity) => {
      const { order, item } = await basket(shop);
      expect(await shop.post(`/orders/addItem/${order}/${item}/${quantity}`)).toMatchObject(refusal("invalid_number"));
      expect((await findOrder(shop, order)).total_cost).toBe(15);
    },
  );

  test("a total goes up to 2^53-1 and not beyond, and so does a quantity", async () => {
    const [one, most, free] = await Promise.all([
      newItem(shop, { stock: 0, price: 1 }),
      newItem(shop, { stock: 0, price: MAX }),
      newItem(shop, { stock: 0, price: 0 }),
    ]);
    const order = await newOrder(shop, "somebody", [[one, 1]]);
    expect(await shop.post(`/orders/addItem/${order}/${most}/1`)).toMatchObject(refusal("amount_out_of_range"));
    expect(await shop.post(`/orders/addItem/${order}/${one}/${MAX - 1}`)).toMatchObject({
      status: 200,
      body: String(MAX),
    });
    expect(await shop.post(`/orders/addItem/${order}/${free}/${MAX}`)).toMatchObject({
      status: 200,
      body: String(MAX),
    });
    expect(await shop.post(`/orders/addItem/${order}/${free}/1`)).toMatchObject(refusal("amount_out_of_range"));
  });

  test("a paid order takes no more items: 400", async () => {
    const { order, item } = await basket(shop);
    await shop.post(`/orders/checkout/${order}`);
    expect(await shop.post(`/orders/addItem/${order}/${item}/1`)).toMatchObject(refusal("order_paid"));
    expect((await findOrder(shop, order)).total_cost).toBe(15);
  });

  test("an order whose checkout runs takes none for now: 409, and what is charged is what is in the order", async () => {
    const { order, item } = await basket(shop);
    const { fault, reached, open } = shop.gateway.gate();
    shop.gateway.next("/payment/charge", fault);
    const checkout = shop.post(`/orders/checkout/${order}`);
    await reached;
    expect(await shop.post(`/orders/addItem/${order}/${item}/1`)).toMatchObject({
      status: 409,
      type: "application/json",
      code: "checkout_running",
    });
    open();
    expect((await checkout).status).toBe(200);
    expect(await findOrder(shop, order)).toMatchObject({ paid: true, items: [[item, 3]], total_cost: 15 });
  });

  test.each([
    ["hangs", hang],
    ["is gone", breakBefore],
    ["answers 500", insteadOf(500)],
    ["answers 504", insteadOf(504)],
    ["sits behind a proxy's 400", insteadOf(400)],
    ["sits behind a 200 of somebody else", insteadOf(200)],
    ["sits behind a 200 with a price that is none", insteadOf(200, { price: "5" })],
  ] as const)("stock %s: 503 to be retried, never 400, and nothing changes", async (_how, fault) => {
    const { order, item } = await basket(shop);
    shop.hurry();
    shop.gateway.always(`/stock/find/${item}`, fault);
    expect(await shop.post(`/orders/addItem/${order}/${item}/1`)).toMatchObject({
      status: 503,
      code: "service_unavailable",
      retryAfter: "1",
    });
    shop.gateway.heal();
    expect((await findOrder(shop, order)).total_cost).toBe(15);
  });

  test("none of many at the same time is lost", async () => {
    const [order, item] = [await newOrder(shop, "somebody", []), await newItem(shop, { stock: 0, price: 2 })];
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => shop.post(`/orders/addItem/${order}/${item}/1`)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await findOrder(shop, order)).toMatchObject({ items: [[item, 50]], total_cost: 100 });
  });
});

test("finding refuses an order that is not there, and one that cannot be", async () => {
  expect(await shop.get("/orders/find/nowhere")).toMatchObject(refusal("unknown_order"));
  expect(await shop.get("/orders/find/a.b")).toMatchObject(refusal("invalid_id"));
});

test("checking out refuses an order that is not there, and one that cannot be", async () => {
  expect(await shop.post("/orders/checkout/nowhere")).toMatchObject(refusal("unknown_order"));
  expect(await shop.post("/orders/checkout/a.b")).toMatchObject(refusal("invalid_id"));
});

describe("POST /orders/batch_init", () => {
  test("makes orders 0 to n-1 of random users, two random items each, at twice the price", async () => {
    expect(await shop.post("/orders/batch_init/1200/3/4/7")).toMatchObject({
      status: 200,
      type: "application/json",
      json: { msg: expect.any(String) },
    });
    const orders = await Promise.all(Array.from({ length: 100 }, (_, i) => findOrder(shop, String(i * 12))));
    for (const { items, user_id, total_cost, paid } of orders) {
      expect([total_cost, paid]).toEqual([14, false]);
      expect(["0", "1", "2", "3"]).toContain(user_id);
      expect(items.reduce((sum, [, quantity]) => sum + quantity, 0)).toBe(2);
      expect(new Set(items.map(([item]) => item)).size).toBe(items.length);
      for (const [item] of items) expect(["0", "1", "2"]).toContain(item);
    }
    expect(new Set(orders.map(({ user_id }) => user_id)).size).toBe(4);
    expect(new Set(orders.map(({ items }) => items.length))).toEqual(new Set([1, 2]));
    expect((await shop.get("/orders/find/1200")).code).toBe("unknown_order");
  });

  test("makes the orders anew: what was paid is not", async () => {
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    await shop.post("/orders/batch_init/1/1/1/5");
    expect((await shop.post("/orders/checkout/0")).status).toBe(200);
    await shop.post("/orders/batch_init/1/1/1/5");
    expect(await findOrder(shop, "0")).toMatchObject({ paid: false, items: [["0", 2]], total_cost: 10 });
  });

  test("409 where a checkout runs in a later chunk, before anything is overwritten", async () => {
    await shop.post("/orders/batch_init/2001/1/1/1");
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    const { fault, reached, open } = shop.gateway.gate();
    shop.gateway.next("/payment/charge", fault);
    const checkout = shop.post("/orders/checkout/2000");
    await reached;
    expect(await shop.post("/orders/batch_init/2001/1/1/9")).toMatchObject({ status: 409, code: "checkout_running" });
    expect((await findOrder(shop, "0")).total_cost).toBe(2);
    expect((await shop.post("/orders/batch_init/2000/1/1/9")).status).toBe(200);
    open();
    await checkout;
    expect(await findOrder(shop, "2000")).toMatchObject({ paid: true, total_cost: 2 });
  });

  test("409 where a checkout begins while the batch runs: the chunk with its order is not written", async () => {
    const state = await shop.state("order");
    await shop.post("/orders/batch_init/700/1/1/5");
    const batch = state.occ.batch.bind(state.occ);
    // After the look at all claims, and before the chunks.
    const spy = jest.spyOn(state.occ, "batch").mockImplementationOnce(async (chunks, options) => {
      await state.occ.transact([], () => ({ result: null, set: [[claimKey("600"), { saga: "begun meanwhile" }]] }));
      return batch(chunks, options);
    });
    try {
      expect(await shop.post("/orders/batch_init/700/1/1/7")).toMatchObject({ status: 409, code: "checkout_running" });
    } finally {
      spy.mockRestore();
    }
    expect((await shop.get("/orders/find/600")).json).toMatchObject({ total_cost: 10 });
    await state.occ.transact([], () => ({ result: null, set: [[claimKey("600"), null]] }));
    expect((await shop.post("/orders/batch_init/700/1/1/7")).status).toBe(200);
    expect((await shop.get("/orders/find/600")).json).toMatchObject({ total_cost: 14 });
  });

  test.each(["0/1/1/1", "1/0/1/1", "1/1/0/1", "1/1/1/-1", "1000001/1/1/1", `1/1/1/${2 ** 53}`, "1/1.5/1/1"])(
    "refuses %s",
    async (parameters) => {
      expect(await shop.post(`/orders/batch_init/${parameters}`)).toMatchObject(refusal("invalid_number"));
    },
  );

  test("refuses a price of which two are too much, and takes items and users up to 2^53-1", async () => {
    expect(await shop.post(`/orders/batch_init/1/1/1/${2 ** 52}`)).toMatchObject(refusal("amount_out_of_range"));
    expect((await shop.post(`/orders/batch_init/1/${MAX}/${MAX}/${2 ** 52 - 1}`)).status).toBe(200);
    expect((await findOrder(shop, "0")).total_cost).toBe(MAX - 1);
  });
});
