/** `retention.test.ts` for checkouts by events: memory stays flat, and what is forgotten does not come back. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { SERVICES } from "../../settings/services.ts";
import { breakBefore } from "../../test/support/faults.ts";
import { beginSaga, goOnUntil } from "../../test/support/begun.ts";
import { basket, PAID, stateOf, UNTOUCHED, type Basket } from "../../test/support/goods.ts";
import { lost } from "../../test/support/queues.ts";
import { expireAll as expire, leftovers } from "../../test/support/retention.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.openWithQueues({ RESEND_MS: 150 })));
afterAll(() => shop.close());
afterEach(async () => {
  await shop.reset();
  shop.set({ RESEND_MS: 150 });
});

/** Once nothing is under way. */
async function expireAll(): Promise<Record<string, number>> {
  await shop.queues.quiet();
  return expire(shop);
}

/** A checkout whose own time is over once it was charged; what undoes it is sent, and may be lost. */
async function givenUp(goods: Basket, losing: readonly string[] = []): Promise<void> {
  const { driven } = await beginSaga(shop, goods);
  await goOnUntil(shop, driven, "payment_charged");
  for (const type of losing) shop.queues.always(type, lost);
  await shop.run("order/resume-sagas", 1_500);
  await shop.queues.quiet();
  shop.queues.heal();
}

describe.each([
  ["each message delivered once", false],
  ["each message delivered twice", true],
])("retention of checkouts by events, %s", (_, repeated) => {
  test("nothing is deleted before its retention is over", async () => {
    const goods = await basket(shop);
    shop.queues.repeat = repeated;
    await shop.post(`/orders/checkout/${goods.order}`, { headers: { "Idempotency-Key": `kept-${repeated}` } });
    await shop.queues.quiet();
    const before = await leftovers(shop);
    expect(await shop.run("order/maintain")).toEqual({ expired: 0, forgotten: 0 });
    expect(await leftovers(shop)).toEqual(before);
    expect(before.map((key) => key.split(":")[0]).sort()).toEqual(["charge", "idempotency", "reservation", "saga"]);
    await expireAll();
  });

  test("checkouts that were paid, refused and given up: their sagas and markers are deleted, and memory is as it was after every round", async () => {
    const [good, poor, few, slow] = [
      await basket(shop, { stock: 1_000, credit: 1_000 }),
      await basket(shop, { credit: 1 }),
      await basket(shop, { stock: 1 }),
      await basket(shop),
    ];
    shop.queues.repeat = repeated;
    const sizes: number[][] = [];
    for (let round = 0; round < 3; round++) {
      await shop.post(`/orders/checkout/${good.order}`, { headers: { "Idempotency-Key": `out-${repeated}-${round}` } });
      for (const { order } of [poor, few]) await shop.post(`/orders/checkout/${order}`);
      await shop.queues.quiet();
      await givenUp(slow);
      expect((await leftovers(shop)).length).toBeGreaterThan(0);
      expect((await expireAll())["forgotten"]).toBe(round === 0 ? 4 : 3);
      expect(await leftovers(shop)).toEqual([]);
      sizes.push(await Promise.all(SERVICES.map((name) => shop.lasting(name))));
    }
    expect(sizes).toEqual([sizes[0], sizes[0], sizes[0]]);
    // What was sold holds no headroom any more.
    expect(await shop.row("stock", `item:${good.item}`)).toMatchObject({ stock: 997, held: 0 });
    expect(await shop.row("payment", `user:${good.user}`)).toMatchObject({ credit: 985, held: 0 });
    expect(await stateOf(shop, slow)).toEqual(UNTOUCHED);
  });

  test("an open saga is never forgotten, whatever its age, nor does it hide settled ones", async () => {
    const [open, done] = [await basket(shop), await basket(shop)];
    shop.queues.repeat = repeated;
    await givenUp(open, ["refund"]);
    expect((await shop.post(`/orders/checkout/${done.order}`)).status).toBe(200);
    expect(await expireAll()).toEqual({ expired: 0, forgotten: 1 });
    const kinds = (await leftovers(shop)).map((key) => key.split(":")[0]).sort();
    expect(kinds).toEqual(["charge", "claim", "reservation", "saga"]);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, open)).toEqual(UNTOUCHED);
    expect(await stateOf(shop, done)).toEqual(PAID);
    await expireAll();
    expect(await leftovers(shop)).toEqual([]);
  });

  test.each(["payment", "stock"] as const)(
    "a saga's record outlives its markers: while %s is down it is not forgotten",
    async (service) => {
      const goods = await basket(shop);
      shop.queues.repeat = repeated;
      await shop.post(`/orders/checkout/${goods.order}`);
      await shop.queues.quiet();
      const marker = service === "stock" ? "reservation:" : "charge:";
      const before = (await leftovers(shop)).filter((key) => key.startsWith("saga:") || key.startsWith(marker));
      expect(before).toHaveLength(2);
      shop.gateway.always(`/${service}/forget`, breakBefore);
      await expect(expireAll()).rejects.toThrow();
      shop.set({ RETENTION_MS: 86_400_000 });
      expect(await leftovers(shop)).toEqual(expect.arrayContaining(before));
      shop.gateway.heal();
      await expireAll();
      expect(await leftovers(shop)).toEqual([]);
    },
  );

  test("GET /orders/checkout of an order whose checkout is forgotten: 400, as if there had been none", async () => {
    const goods = await basket(shop);
    shop.queues.repeat = repeated;
    await shop.post(`/orders/checkout/${goods.order}`);
    await expireAll();
    expect(await shop.get(`/orders/checkout/${goods.order}`)).toMatchObject({ status: 400, code: "no_checkout" });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });
});
