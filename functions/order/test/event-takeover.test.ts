/** `takeover.test.ts` for checkouts by events: whoever dies anywhere, those who are left bring the saga to its end. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { beginSaga, goOnUntil } from "../../test/support/begun.ts";
import { basket, PAID, stateOf, UNTOUCHED, type Basket } from "../../test/support/goods.ts";
import { Shop } from "../../test/support/shop.ts";
import { claimKey } from "../orders.ts";
import { SagaJournal, type DrivenSaga } from "../saga-journal.ts";
import { LATE, sagaKey, UNDO_ALL, type Saga } from "../sagas.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.openWithQueues({ RESEND_MS: 150 })));
afterAll(() => shop.close());
afterEach(async () => {
  await shop.reset();
  shop.set({ RESEND_MS: 150 });
});

const checkout = (order: string, time?: number) =>
  shop.post(`/orders/checkout/${order}`, time === undefined ? {} : { time });
const settledAs = async ({ id }: DrivenSaga): Promise<string | undefined> =>
  (await shop.row<Saga>("order", sagaKey(id)))?.state;

describe.each([
  ["each message delivered once", false],
  ["each message delivered twice", true],
])("a checkout by events and those who go on with it, %s", (_, repeated) => {
  const prepare = async (stocked?: { stock?: number; credit?: number }): Promise<Basket> => {
    const goods = await basket(shop, stocked);
    shop.queues.repeat = repeated;
    return goods;
  };

  test("its record has a client's traceparent at any length: each message has what the standard knows of it", async () => {
    const goods = await prepare();
    const { driven } = await beginSaga(shop, goods, 60_000);
    const known = `-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    await (
      await shop.state("order")
    ).occ.transact([], () => ({
      result: null,
      set: { [sagaKey(driven.id)]: { ...driven.saga, traceparent: `01${known}-${"x".repeat(16_200)}` } },
    }));
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await settledAs(driven)).toBe("paid");
    const traces = shop.queues.deliveries.map(
      ({ body }) => (JSON.parse(body.split("\n")[1]!) as { traceparent?: string }).traceparent,
    );
    expect(new Set(traces)).toEqual(new Set([`00${known}`]));
  });

  const forwards: readonly (readonly [string, readonly string[] | null])[] = [
    ["the intent is written, and nobody is told", null],
    ["stock has reserved, and payment is not told", ["stock_reserved"]],
    ["payment has charged, and order is not told", ["payment_charged"]],
  ];
  describe.each(forwards)("%s", (_point, types) => {
    test("within the saga's time: it is paid", async () => {
      const goods = await prepare();
      const { driven } = await beginSaga(shop, goods, 60_000);
      if (types !== null) await goOnUntil(shop, driven, ...types);
      expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
      expect(await settledAs(driven)).toBe("paid");
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });

    test("past it: neither effect is left, and the order is free", async () => {
      const goods = await prepare();
      const { driven } = await beginSaga(shop, goods);
      if (types !== null) await goOnUntil(shop, driven, ...types);
      expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
      expect(await settledAs(driven)).toBe("failed");
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      expect((await checkout(goods.order)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });

    test("a second checkout of the order goes on with it, and has its answer", async () => {
      const goods = await prepare();
      const { driven } = await beginSaga(shop, goods, 60_000);
      if (types !== null) await goOnUntil(shop, driven, ...types);
      expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
      expect(await settledAs(driven)).toBe("paid");
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });
  });

  test.each([
    ["nobody is told", null],
    ["payment has refunded, and order is not told", ["payment_refunded"]],
    ["stock has released, and order is not told", ["stock_released"]],
    ["both have, and order is told of neither", ["payment_refunded", "stock_released"]],
  ] as const)("it is given up and that is written down; %s: neither effect is left", async (_point, types) => {
    const goods = await prepare();
    const { driven, journal } = await beginSaga(shop, goods);
    await goOnUntil(shop, driven, "payment_charged");
    const given = await journal.abandoned(driven, UNDO_ALL, LATE, 500);
    if (types !== null) await goOnUntil(shop, given, ...types);
    expect(await settledAs(driven)).toBe("compensating");
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await settledAs(driven)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("a step is refused, and nobody hears of it: whoever goes on gives the same refusal", async () => {
    const goods = await prepare({ credit: 14 });
    const { driven } = await beginSaga(shop, goods, 60_000);
    await goOnUntil(shop, driven, "stock_released");
    // What would have refused it is no longer so: the first answer is kept.
    await shop.post(`/payment/add_funds/${goods.user}/86`);
    expect(await checkout(goods.order)).toMatchObject({ status: 400, code: "insufficient_credit" });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("all is paid, and nobody has heard: it stays paid, and nothing is left to resume", async () => {
    const goods = await prepare();
    const { driven } = await beginSaga(shop, goods, 60_000);
    await goOnUntil(shop, driven);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 0, open: 0 });
    expect(await checkout(goods.order)).toMatchObject({ status: 200, body: "paid" });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("a saga that was started by a clock twenty minutes ahead is not left open for twenty minutes", async () => {
    const goods = await prepare();
    const { driven } = await beginSaga(shop, goods, 1_000, Date.now() + 1_200_000);
    await goOnUntil(shop, driven, "stock_reserved");
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("two who resume at once, and a checkout that follows: undone once, or paid once", async () => {
    const goods = await prepare();
    const { driven } = await beginSaga(shop, goods);
    await goOnUntil(shop, driven, "payment_charged");
    const results = await Promise.all([
      shop.run("order/resume-sagas"),
      shop.run("order/resume-sagas"),
      checkout(goods.order),
    ]);
    expect(results.slice(0, 2)).toEqual([expect.objectContaining({ open: 0 }), expect.objectContaining({ open: 0 })]);
    expect(await settledAs(driven)).toBe("failed");
    await shop.queues.quiet();
    const { paid } = await stateOf(shop, goods);
    expect(await stateOf(shop, goods)).toEqual(paid ? PAID : UNTOUCHED);
  });

  test("a checkout that goes by calls is left to its driver, and undone by events once its own time is over", async () => {
    const goods = await prepare();
    const { driven, journal } = await beginSaga(shop, goods, 60_000, Date.now() - 1_000, "sync");
    const { fault, open } = shop.queues.gate();
    shop.queues.always("stock_reserved", fault);
    // Its driver still waits for stock, which is slow.
    expect(await shop.run("order/resume-sagas", 2_500)).toEqual({ settled: 0, open: 1 });
    expect((await checkout(goods.order, 1_500)).status).toBe(202);
    await journal.closed(await journal.abandoned(driven, ["reserve"], LATE, 500), 500);
    open();
    await shop.queues.quiet();
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);

    const { driven: left } = await beginSaga(shop, goods, 0, Date.now() - 1_000, "sync");
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await settledAs(left)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test.each([
    ["paid", 200],
    ["rolled back", 503],
  ])("who follows by events a checkout that goes by calls hears soon that it is %s", async (end, status) => {
    const goods = await prepare();
    const { driven, journal } = await beginSaga(shop, goods, 60_000, Date.now(), "sync");
    const followed = checkout(goods.order);
    await sleep(300);
    const ended = Date.now();
    if (end === "paid") await journal.paid(driven, 500);
    else await journal.closed(await journal.abandoned(driven, ["reserve"], LATE, 500), 500);
    expect((await followed).status).toBe(status);
    expect(Date.now() - ended).toBeLessThan(1_000);
    await shop.queues.quiet();
  });

  test("it is charged when its order is no longer claimed by it: it does not pay, and is undone", async () => {
    const goods = await prepare();
    const { driven } = await beginSaga(shop, goods, 60_000);
    const state = await shop.state("order");
    const claim = (row: object | null) =>
      state.occ.transact([], () => ({ result: null, set: { [claimKey(goods.order)]: row } }));
    await claim({ saga: "another" });
    await goOnUntil(shop, driven);
    await claim(null);
    expect(await settledAs(driven)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("order is told of a charge while it gives the saga up: one of the two is what happens, whole", async () => {
    for (let round = 0; round < 10; round++) {
      const goods = await prepare();
      const { driven } = await beginSaga(shop, goods);
      await goOnUntil(shop, driven, "payment_charged");
      const about = { saga: driven.id, startedAt: driven.saga.startedAt, order: goods.order };
      await Promise.all([
        shop.queues.send("order", { type: "payment_charged", ...about }),
        sleep(round).then(() => shop.run("order/resume-sagas")),
      ]);
      await shop.queues.quiet();
      const { paid } = await stateOf(shop, goods);
      expect(await stateOf(shop, goods)).toEqual(paid ? PAID : UNTOUCHED);
      expect(await settledAs(driven)).toBe(paid ? "paid" : "failed");
    }
  });

  test("a saga that cannot be settled does not keep the others from it", async () => {
    const [stuck, goods] = [await prepare(), await prepare()];
    const [{ driven: first }, { driven: second }] = [await beginSaga(shop, stuck), await beginSaga(shop, goods)];
    await goOnUntil(shop, first, "payment_charged");
    await goOnUntil(shop, second, "payment_charged");
    shop.queues.always("refund", async (deliver) =>
      shop.queues.deliveries.findLast(({ type }) => type === "refund")?.saga === first.id ? "lost" : deliver(),
    );
    expect(await shop.run("order/resume-sagas", 2_500)).toEqual({ settled: 1, open: 1 });
    expect(await settledAs(second)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    shop.queues.heal();
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, stuck)).toEqual(UNTOUCHED);
  });

  test("a request whose invocation has little time left ends within it: 202, and the checkout goes on", async () => {
    const goods = await prepare();
    const { fault, open } = shop.queues.gate();
    shop.queues.always("stock_reserved", fault);
    const asked = Date.now();
    expect((await checkout(goods.order, 1_500)).status).toBe(202);
    expect(Date.now() - asked).toBeLessThan(1_500);
    open();
    expect(await shop.run("order/resume-sagas")).toMatchObject({ open: 0 });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("an order made anew under the same id gets no answer and no effect of the old one's checkout", async () => {
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    await shop.post("/orders/batch_init/1/1/1/5");
    shop.queues.repeat = repeated;
    const made = { item: "0", user: "0", order: "0" };
    expect((await checkout("0")).status).toBe(200);
    await shop.queues.quiet();
    const sent = [...shop.queues.deliveries];
    await shop.post("/orders/batch_init/1/1/1/5");
    for (const { to, body } of sent) await shop.queues.send(to, {}, body);
    await shop.queues.quiet();
    expect(await stateOf(shop, made)).toEqual({ paid: false, stock: 8, credit: 90 });
    expect((await checkout("0")).status).toBe(200);
    expect(await stateOf(shop, made)).toEqual({ paid: true, stock: 6, credit: 80 });
  });
});

describe("SAGA is changed while a checkout is open", () => {
  afterEach(() => void (process.env["SAGA"] = "events"));

  test("from events to sync: past its time the saga is undone by calls", async () => {
    const goods = await basket(shop);
    const { driven } = await beginSaga(shop, goods);
    await goOnUntil(shop, driven, "payment_charged");
    process.env["SAGA"] = "sync";
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await settledAs(driven)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    expect((await checkout(goods.order)).status).toBe(200);
    await shop.queues.quiet();
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("from events to sync, half undone: what is left is undone by calls", async () => {
    const goods = await basket(shop);
    const { driven, journal } = await beginSaga(shop, goods);
    await goOnUntil(shop, driven, "payment_charged");
    await goOnUntil(shop, await journal.abandoned(driven, UNDO_ALL, LATE, 500), "stock_released");
    process.env["SAGA"] = "sync";
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await settledAs(driven)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("from sync to events: within its time the saga is paid by events, past it undone", async () => {
    const [soon, late] = [await basket(shop), await basket(shop)];
    const [{ driven: first }, { driven: second }] = [await beginSaga(shop, soon, 60_000), await beginSaga(shop, late)];
    for (const { driven, goods } of [
      { driven: first, goods: soon },
      { driven: second, goods: late },
    ]) {
      const step = { saga: driven.id, startedAt: driven.saga.startedAt };
      expect((await shop.signed("/stock/reserve", { ...step, lines: [[goods.item, 3]] })).status).toBe(200);
    }
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 2, open: 0 });
    expect(await stateOf(shop, soon)).toEqual(PAID);
    expect(await stateOf(shop, late)).toEqual(UNTOUCHED);
  });
});

test("a transition that another one has overtaken is not made: whoever compares an older version loses", async () => {
  const goods = await basket(shop);
  const { driven, journal } = await beginSaga(shop, goods, 60_000);
  await goOnUntil(shop, driven);
  await expect(journal.abandoned(driven, UNDO_ALL, LATE, 500)).rejects.toThrow("the saga is paid");
  expect(await new SagaJournal(await shop.state("order")).read(driven.id, 500)).toMatchObject({ state: "paid" });
});
