import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { after, breakBefore } from "../../test/support/faults.ts";
import { basket, PAID, stateOf, UNTOUCHED } from "../../test/support/goods.ts";
import { leaveOpen } from "../../test/support/open-checkout.ts";
import { expireAll, leftovers } from "../../test/support/retention.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

describe.each([
  ["each step delivered once", false],
  ["each step delivered twice", true],
])("retention, %s", (_, repeated) => {
  test("nothing is deleted before its retention is over", async () => {
    const goods = await basket(shop);
    await shop.post(`/orders/checkout/${goods.order}`, { headers: { "Idempotency-Key": `kept-${repeated}` } });
    const before = await leftovers(shop);
    expect(await shop.run("order/maintain")).toEqual({ expired: 0, forgotten: 0 });
    expect(await leftovers(shop)).toEqual(before);
    expect(before.map((key) => key.split(":")[0]).sort()).toEqual(["charge", "idempotency", "reservation", "saga"]);
    await expireAll(shop);
  });

  test("settled sagas, markers and idempotency records are deleted, and memory is as it was after every round of checkouts", async () => {
    shop.gateway.repeatSteps = repeated;
    const [good, poor, broken] = [
      await basket(shop, { stock: 1_000, credit: 1_000 }),
      await basket(shop, { credit: 1 }),
      await basket(shop),
    ];
    const sizes: number[] = [];
    for (let round = 0; round < 3; round++) {
      await shop.post(`/stock/add/${good.item}/1`, { headers: { "Idempotency-Key": `add-${repeated}-${round}` } });
      await shop.post(`/payment/pay/${good.user}/9999999`, {
        headers: { "Idempotency-Key": `pay-${repeated}-${round}` },
      });
      await shop.post(`/orders/checkout/${good.order}`, { headers: { "Idempotency-Key": `out-${repeated}-${round}` } });
      await shop.post(`/orders/checkout/${poor.order}`);
      shop.gateway.next("/payment/charge", after(500));
      await shop.post(`/orders/checkout/${broken.order}`);
      expect((await leftovers(shop)).length).toBeGreaterThan(0);
      expect((await expireAll(shop))["forgotten"]).toBe(round === 0 ? 3 : 2);
      expect(await leftovers(shop)).toEqual([]);
      sizes.push(await shop.lasting("stock"));
    }
    expect(new Set(sizes).size).toBe(1);
    // What was sold holds no headroom any more.
    expect(await shop.row("stock", `item:${good.item}`)).toMatchObject({ stock: 1_000, held: 0 });
    expect(await shop.row("payment", `user:${good.user}`)).toMatchObject({ credit: 985, held: 0 });
    expect(await stateOf(shop, broken)).toEqual(UNTOUCHED);
  });

  test("an open saga is never forgotten, whatever its age, nor does it hide settled ones", async () => {
    const [open, done] = [await basket(shop), await basket(shop)];
    shop.gateway.repeatSteps = repeated;
    expect((await leaveOpen(shop, open.order)).code).toBe("checkout_pending");
    await shop.post(`/orders/checkout/${done.order}`);
    expect(await expireAll(shop)).toEqual({ expired: 0, forgotten: 1 });
    const kinds = (await leftovers(shop)).map((key) => key.split(":")[0]).sort();
    expect(kinds).toEqual(["charge", "claim", "reservation", "saga"]);
    shop.gateway.heal();
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, open)).toEqual(UNTOUCHED);
    expect(await stateOf(shop, done)).toEqual(PAID);
    await expireAll(shop);
    expect(await leftovers(shop)).toEqual([]);
  });

  test("more open sagas than fit in one look do not keep a settled one from being forgotten", async () => {
    const state = await shop.state("order");
    const rows = Object.fromEntries(
      Array.from({ length: 150 }, (_, i) => [
        `saga:open-${i}`,
        { order: "none", state: "compensating", version: 2, items: [], deadline: 0 },
      ]),
    );
    await state.occ.transactAlone([], () => ({ result: null, set: rows }));
    await sleep(5);
    const done = await basket(shop);
    await shop.post(`/orders/checkout/${done.order}`);
    expect(await expireAll(shop)).toEqual({ expired: 0, forgotten: 1 });
    await state.occ.transactAlone([], () => ({
      result: null,
      set: Object.fromEntries(Object.keys(rows).map((key) => [key, null])),
    }));
  });

  test.each(["payment", "stock"] as const)(
    "a saga's record outlives its markers: while %s is down it is not forgotten",
    async (service) => {
      const goods = await basket(shop);
      await shop.post(`/orders/checkout/${goods.order}`);
      const kept = (key: string): boolean => key.startsWith(service === "stock" ? "reservation:" : "charge:");
      const before = (await leftovers(shop)).filter((key) => key.startsWith("saga:") || kept(key));
      expect(before).toHaveLength(2);
      shop.gateway.always(`/${service}/forget`, breakBefore);
      await expect(expireAll(shop)).rejects.toThrow();
      shop.set({ RETENTION_MS: 86_400_000 });
      expect(await leftovers(shop)).toEqual(expect.arrayContaining(before));
      shop.gateway.heal();
      await expireAll(shop);
      expect(await leftovers(shop)).toEqual([]);
    },
  );

  test("a step of a saga older than the retention is refused, never executed; its compensation still is", async () => {
    const { item, user } = await basket(shop);
    const old = { saga: `old-${repeated}`, startedAt: Date.now() - 86_400_001 };
    expect(await shop.signed("/stock/reserve", { ...old, lines: [[item, 1]] })).toMatchObject({
      status: 400,
      code: "saga_expired",
    });
    expect(await shop.signed("/payment/charge", { ...old, user, amount: 1 })).toMatchObject({
      status: 400,
      code: "saga_expired",
    });
    expect((await shop.signed("/stock/release", old)).status).toBe(200);
    expect((await shop.signed("/payment/refund", old)).status).toBe(200);
    for (const path of ["/stock/forget", "/payment/forget"]) await shop.signed(path, { sagas: [old.saga] });
    expect(await leftovers(shop)).toEqual([]);
  });

  test("what was forgotten does not come back: neither a late execute nor a late compensation changes anything", async () => {
    const goods = await basket(shop);
    await shop.post(`/orders/checkout/${goods.order}`);
    const sent = shop.gateway.deliveries.map(({ path, body }) => ({ path, body }));
    await expireAll(shop);
    shop.set({ RETENTION_MS: 1 });
    for (const { path, body } of sent)
      expect(await shop.signed(path, body)).toMatchObject({ status: 400, code: "saga_expired" });
    for (const path of ["/stock/release", "/payment/refund"])
      expect((await shop.signed(path, sent[0]!.body)).status).toBe(200);
    shop.set({ RETENTION_MS: 86_400_000 });
    expect(await stateOf(shop, goods)).toEqual(PAID);
    const { saga } = JSON.parse(sent[0]!.body) as { saga: string };
    for (const path of ["/stock/forget", "/payment/forget"]) await shop.signed(path, { sagas: [saga] });
  });
});
