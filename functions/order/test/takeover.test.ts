import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { FAIL_POINT_HOOK } from "redis-occ/fail-points";
import { setTimeout as sleep } from "node:timers/promises";
import { delay, hangAfter } from "../../test/support/faults.ts";
import { basket, PAID, stateOf, UNTOUCHED, type Basket } from "../../test/support/goods.ts";
import { beginSaga } from "../../test/support/begun.ts";
import { leaveOpen } from "../../test/support/open-checkout.ts";
import { Shop } from "../../test/support/shop.ts";
import { claimKey } from "../orders.ts";
import { SagaJournal, type DrivenSaga } from "../saga-journal.ts";
import { CHECKOUT } from "../saga-steps.ts";
import { LostRaceError, sagaKey, type Failure, type Saga } from "../sagas.ts";
import { peersBehind } from "../peers.ts";
import { httpClient } from "../../calls/http-client.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

const [RESERVE, CHARGE, REFUND] = ["/stock/reserve", "/payment/charge", "/payment/refund"];
const FAILURE: Failure = { kind: "aborted", code: "checkout_aborted", message: "a test's" };
const [reserve, charge] = CHECKOUT as [(typeof CHECKOUT)[number], (typeof CHECKOUT)[number]];
const peers = peersBehind(httpClient);

const begun = (goods: Basket, timeout?: number, now?: number) => beginSaga(shop, goods, timeout, now);
const settledAs = async ({ id }: DrivenSaga): Promise<string | undefined> =>
  (await shop.row<Saga>("order", sagaKey(id)))?.state;

describe.each([
  ["each step delivered once", false],
  ["each step delivered twice", true],
])("a checkout and those who take it over, %s", (_, repeated) => {
  const prepare = async () => {
    const goods = await basket(shop);
    shop.gateway.repeatSteps = repeated;
    return goods;
  };

  // A driver dies at each point of its way. What it did until then is done.
  const both = ["charge", "reserve"];
  const deaths: readonly (readonly [string, (driven: DrivenSaga, journal: SagaJournal) => Promise<unknown>])[] = [
    ["once the intent is written", async () => undefined],
    ["once the stock is reserved", async ({ id, saga }) => reserve.execute(peers, id, saga, 500)],
    [
      "once the credit is charged",
      async ({ id, saga }) => (await reserve.execute(peers, id, saga, 500), charge.execute(peers, id, saga, 500)),
    ],
    [
      "once it has given up and written that down",
      async (driven, journal) => {
        await reserve.execute(peers, driven.id, driven.saga, 500);
        await charge.execute(peers, driven.id, driven.saga, 500);
        return journal.abandoned(driven, both, FAILURE, 500);
      },
    ],
    [
      "once it has refunded",
      async (driven, journal) => {
        await reserve.execute(peers, driven.id, driven.saga, 500);
        await charge.execute(peers, driven.id, driven.saga, 500);
        await journal.abandoned(driven, both, FAILURE, 500);
        return charge.compensate(peers, driven.id, driven.saga, 500);
      },
    ],
    [
      "once all is undone, but not that it is",
      async (driven, journal) => {
        await reserve.execute(peers, driven.id, driven.saga, 500);
        await journal.abandoned(driven, both, FAILURE, 500);
        await charge.compensate(peers, driven.id, driven.saga, 500);
        return reserve.compensate(peers, driven.id, driven.saga, 500);
      },
    ],
  ];
  test.each(deaths)(
    "its driver dies %s: resume-sagas leaves neither effect, and the order free",
    async (_point, live) => {
      const goods = await prepare();
      const { driven, journal } = await begun(goods);
      await live(driven, journal);
      expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
      expect(await settledAs(driven)).toBe("failed");
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    },
  );

  test("its driver dies, and a second checkout of the order settles it and gets its answer: 503, then a retry pays", async () => {
    const goods = await prepare();
    const { driven } = await begun(goods, 200);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({ status: 503, code: "checkout_aborted" });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
  });

  test("its driver dies once the order is paid: it stays paid, and nothing is left to resume", async () => {
    const goods = await prepare();
    const { driven, journal } = await begun(goods);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    await charge.execute(peers, driven.id, driven.saga, 500);
    await journal.paid(driven, 500);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 0, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("its record has a client's traceparent at any length: it is settled, and the order free", async () => {
    const goods = await prepare();
    const { driven, journal } = await begun(goods);
    const traceparent = `01-${"a".repeat(32)}-${"b".repeat(16)}-01-${"x".repeat(16_200)}`;
    await (
      await shop.state("order")
    ).occ.transact([], () => ({
      result: null,
      set: { [sagaKey(driven.id)]: { ...driven.saga, traceparent } },
    }));
    await reserve.execute(peers, driven.id, driven.saga, 500);
    await journal.abandoned({ ...driven, saga: { ...driven.saga, traceparent } }, both, FAILURE, 500);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("a saga within its deadline is not taken over", async () => {
    const goods = await prepare();
    const { driven, journal } = await begun(goods, 5_000);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    expect(await shop.run("order/resume-sagas", 1_400)).toEqual({ settled: 0, open: 1 });
    expect(await settledAs(driven)).toBe("running");
    await journal.abandoned(driven, [], FAILURE, 500);
    await reserve.compensate(peers, driven.id, driven.saga, 500);
  });

  test("a saga that was started by a clock ten minutes ahead is not left open for ten minutes", async () => {
    const goods = await prepare();
    const { driven } = await begun(goods, 1_000, Date.now() + 600_000);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("resume-sagas waits for the deadline of a saga that still runs, as far as its time goes", async () => {
    const goods = await prepare();
    const { driven } = await begun(goods, 400);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("a slow original that tries to make the order paid after it was taken over loses, and answers what became of it", async () => {
    const goods = await prepare();
    shop.set({ SAGA_TIMEOUT_MS: 250 });
    const { fault, reached, open } = shop.gateway.gate();
    // The charge itself is done in time; only its answer is slow.
    shop.gateway.next(CHARGE, async (execute) => {
      const answer = await execute();
      await fault(async () => answer);
      return answer;
    });
    const original = shop.post(`/orders/checkout/${goods.order}`);
    await reached;
    // The takeover is decided while the original still waits for its charge.
    const journal = new SagaJournal(await shop.state("order"));
    const { saga: id } = (await shop.row<{ saga: string }>("order", claimKey(goods.order)))!;
    const running = { id, saga: (await shop.row<Saga>("order", sagaKey(id)))! };
    await journal.abandoned(running, both, FAILURE, 500);
    open();
    expect(await original).toMatchObject({ status: 503, code: "checkout_aborted" });
    await expect(journal.paid(running, 500)).rejects.toThrow(LostRaceError);
    expect(await shop.run("order/resume-sagas")).toMatchObject({ open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("two who resume at once, and a checkout that follows: undone once", async () => {
    const goods = await prepare();
    const { driven } = await begun(goods);
    await reserve.execute(peers, driven.id, driven.saga, 500);
    await charge.execute(peers, driven.id, driven.saga, 500);
    shop.gateway.always(REFUND, delay(30));
    const results = await Promise.all([
      shop.run("order/resume-sagas"),
      shop.run("order/resume-sagas"),
      shop.post(`/orders/checkout/${goods.order}`),
    ]);
    expect(results.slice(0, 2)).toEqual([expect.objectContaining({ open: 0 }), expect.objectContaining({ open: 0 })]);
    expect(await settledAs(driven)).toBe("failed");
    await sleep(20);
    const { paid } = await stateOf(shop, goods);
    expect(await stateOf(shop, goods)).toEqual(paid ? PAID : UNTOUCHED);
  });

  test("a driver of a saga whose order is no longer claimed by it cannot make it paid", async () => {
    const goods = await prepare();
    const { driven, journal } = await begun(goods);
    const state = await shop.state("order");
    await state.occ.transact([], () => ({ result: null, set: { [claimKey(goods.order)]: { saga: "another" } } }));
    expect(await journal.paid(driven, 500)).toBeNull();
    expect((await stateOf(shop, goods)).paid).toBe(false);
    await state.occ.transact([], () => ({
      result: null,
      set: { [claimKey(goods.order)]: null, [sagaKey(driven.id)]: null },
    }));
  });

  test("20 checkouts of one order at once: one saga, one charge, one answer", async () => {
    const goods = await prepare();
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.post(`/orders/checkout/${goods.order}`)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 paid"]));
    expect([RESERVE, CHARGE].map((path) => shop.gateway.count(path))).toEqual([1, 1]);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("20 checkouts at once of an order that is refused: one saga, one answer", async () => {
    const goods = await prepare();
    await shop.post(`/payment/pay/${goods.user}/90`);
    shop.gateway.next(CHARGE, delay(100));
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.post(`/orders/checkout/${goods.order}`)));
    expect(new Set(answers.map(({ status, code, body }) => `${status} ${code} ${body}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 400, code: "insufficient_credit" });
    expect(shop.gateway.count(RESERVE)).toBe(1);
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 10 });
  });

  test("a saga that cannot be settled does not keep the others from it, however long its step hangs", async () => {
    const [stuck, goods] = [await prepare(), await prepare()];
    shop.set({ STEP_TIMEOUT_MS: 100 });
    const { driven: first } = await begun(stuck);
    const { driven: second } = await begun(goods);
    for (const { id, saga } of [first, second]) await reserve.execute(peers, id, saga, 500);
    shop.gateway.always(REFUND, async (execute) =>
      shop.gateway.deliveries.at(-1)?.body.includes(`"${first.id}"`) ? "hang" : execute(),
    );
    expect(await shop.run("order/resume-sagas", 2_500)).toEqual({ settled: 1, open: 1 });
    expect(await settledAs(second)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    shop.gateway.heal();
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, stuck)).toEqual(UNTOUCHED);
  });

  test("a step is not sent past the saga's deadline: a driver that froze after the reservation charges nobody", async () => {
    const goods = await prepare();
    shop.set({ SAGA_TIMEOUT_MS: 400 });
    const freeze = async (name: string): Promise<void> => {
      if (name === "saga.reserve.after") await sleep(600);
    };
    Object.assign(globalThis, { [FAIL_POINT_HOOK]: freeze });
    try {
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(503);
    } finally {
      Object.assign(globalThis, { [FAIL_POINT_HOOK]: undefined });
    }
    expect(shop.gateway.count(RESERVE)).toBeGreaterThan(0);
    expect(shop.gateway.count(CHARGE)).toBe(0);
    await shop.run("order/resume-sagas");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("however many sagas hang in a round, each gets its share of the time: the last one in the line is settled too", async () => {
    const stuck = await Promise.all(Array.from({ length: 20 }, prepare));
    const goods = await prepare();
    shop.set({ STEP_TIMEOUT_MS: 300 });
    const hanging = new Set<string>();
    for (const basketOfIt of stuck) hanging.add((await begun(basketOfIt)).driven.id);
    const { driven } = await begun(goods);
    shop.gateway.always(REFUND, async (execute) => {
      const { saga } = JSON.parse(shop.gateway.deliveries.at(-1)?.body ?? "{}") as { saga?: string };
      return saga !== undefined && hanging.has(saga) ? "hang" : execute();
    });
    // The line is as the sagas were found: the one that can be settled comes last, behind more than are worked on at once.
    const order = jest.spyOn(Math, "random").mockReturnValue(0.5);
    try {
      const round = shop.run("order/resume-sagas", 25_000);
      for (let looks = 0; looks < 100 && (await settledAs(driven)) !== "failed"; looks++) await sleep(150);
      expect(await settledAs(driven)).toBe("failed");
      shop.gateway.heal();
      expect(await round).toEqual({ settled: 21, open: 0 });
    } finally {
      order.mockRestore();
    }
  });

  test("a request whose invocation has little time left ends within it, and its saga is settled by others", async () => {
    const goods = await prepare();
    shop.hurry();
    shop.gateway.next(RESERVE, hangAfter);
    const asked = Date.now();
    expect((await shop.post(`/orders/checkout/${goods.order}`, { time: 900 })).status).toBe(503);
    expect(Date.now() - asked).toBeLessThan(900);
    await shop.run("order/resume-sagas");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("an order made anew under the same id gets no answer and no effect of the old one's checkout", async () => {
    const goods = await prepare();
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    await shop.post("/orders/batch_init/1/1/1/5");
    const path = "/orders/checkout/0";
    const made = { item: "0", user: "0", order: "0" };
    expect((await shop.post(path)).status).toBe(200);
    expect(await stateOf(shop, made)).toEqual({ paid: true, stock: 8, credit: 90 });
    await shop.post("/orders/batch_init/1/1/1/5");
    expect(await stateOf(shop, made)).toEqual({ paid: false, stock: 8, credit: 90 });
    expect((await shop.post(path)).status).toBe(200);
    expect(await stateOf(shop, made)).toEqual({ paid: true, stock: 6, credit: 80 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("batch_init over an order with an open checkout: 409, and the order is what it was", async () => {
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    await shop.post("/orders/batch_init/1/1/1/5");
    shop.gateway.repeatSteps = repeated;
    const { fault, reached, open } = shop.gateway.gate();
    shop.gateway.next(CHARGE, fault);
    const checkout = shop.post("/orders/checkout/0");
    await reached;
    expect(await shop.post("/orders/batch_init/5/1/1/7")).toMatchObject({ status: 409, code: "checkout_running" });
    expect((await shop.get("/orders/find/0")).json).toMatchObject({ total_cost: 10 });
    open();
    expect((await checkout).status).toBe(200);
    expect((await shop.post("/orders/batch_init/5/1/1/7")).status).toBe(200);
  });

  test("stock and credit made anew while a checkout rolls back get nothing of what the old ones gave", async () => {
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    await shop.post("/orders/batch_init/1/1/1/5");
    shop.gateway.repeatSteps = repeated;
    expect(await leaveOpen(shop, "0")).toMatchObject({ code: "checkout_pending" });
    await shop.post("/stock/batch_init/1/10/5");
    await shop.post("/payment/batch_init/1/100");
    shop.gateway.heal();
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, { item: "0", user: "0", order: "0" })).toEqual(UNTOUCHED);
  });
});
