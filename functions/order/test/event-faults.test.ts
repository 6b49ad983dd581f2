/** Checkouts by events, where queues and time go wrong: what ends a saga, and what can no longer change it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { FAIL_POINT_HOOK } from "redis-occ/fail-points";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { MOST_RECEIVES } from "../../../host/queues/create-queues.ts";
import { signMessage } from "../../events/signed-message.ts";
import { leap } from "../../test/support/clock.ts";
import {
  basket,
  newItem,
  newOrder,
  newUser,
  PAID,
  stateOf,
  stockOf,
  UNTOUCHED,
  type Basket,
} from "../../test/support/goods.ts";
import { lambdaContext } from "../../test/support/invocation.ts";
import { failsAfter, failsBefore, lost, recordOf } from "../../test/support/queues.ts";
import { Shop } from "../../test/support/shop.ts";
import { sagaKey, type Saga } from "../sagas.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.openWithQueues()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

const checkout = (order: string, time?: number) =>
  shop.post(`/orders/checkout/${order}`, time === undefined ? {} : { time });
const sagaOf = async (order: string): Promise<string> =>
  ((await shop.get(`/orders/checkout/${order}`)).json as { saga_id: string }).saga_id;
const stateOfSaga = async (id: string): Promise<string | undefined> =>
  (await shop.row<Saga>("order", sagaKey(id)))?.state;

/** A checkout that hangs at the messages of this type, until its time is over. */
async function stuckAt(type: string, goods: Basket): Promise<{ saga: string; open: () => void }> {
  shop.set({ RESEND_MS: 100_000 });
  const { fault, open } = shop.queues.gate();
  shop.queues.always(type, fault);
  expect((await checkout(goods.order, 1_500)).status).toBe(202);
  const saga = await sagaOf(goods.order);
  leap(600_000);
  return { saga, open };
}

describe.each([
  ["each message delivered once", false],
  ["each message delivered twice", true],
])("past the saga's own time, %s", (_, repeated) => {
  test.each(["checkout_started", "stock_reserved", "payment_charged"])(
    "%s has not come: order gives the saga up, both others are told, and what comes late changes nothing",
    async (type) => {
      const goods = await basket(shop);
      shop.queues.repeat = repeated;
      const { saga, open } = await stuckAt(type, goods);
      expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
      expect(await stateOfSaga(saga)).toBe("failed");
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      open();
      await shop.queues.quiet();
      expect(await stateOfSaga(saga)).toBe("failed");
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      shop.set({ EVENT_SAGA_TIMEOUT_MS: 600_000 });
      expect((await checkout(goods.order)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    },
  );

  test("a repeated checkout gives the old one up, and has its answer: 503; the next one pays", async () => {
    const goods = await basket(shop);
    shop.queues.repeat = repeated;
    const { open } = await stuckAt("stock_reserved", goods);
    expect(await checkout(goods.order)).toMatchObject({ status: 503, code: "checkout_aborted", retryAfter: "1" });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    open();
    expect((await checkout(goods.order)).status).toBe(200);
  });

  test("it is not over before both have answered: until then the order stays claimed, and a charge that is told late pays nothing", async () => {
    const goods = await basket(shop);
    shop.queues.repeat = repeated;
    const { saga, open } = await stuckAt("payment_charged", goods);
    const refund = shop.queues.gate();
    shop.queues.always("refund", refund.fault);
    const resuming = shop.run("order/resume-sagas", 4_000);
    await refund.reached;
    await sleep(300);
    expect(await stateOfSaga(saga)).toBe("compensating");
    open();
    await sleep(200);
    expect(await stateOfSaga(saga)).toBe("compensating");
    expect(await shop.post(`/orders/addItem/${goods.order}/${goods.item}/1`)).toMatchObject({ status: 409 });
    refund.open();
    expect(await resuming).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test.each([
    ["is lost", lost],
    ["is handled by a function that dies before the queue is told", failsAfter],
    ["finds a function that fails", failsBefore],
  ] as const)("what undoes it %s: it is sent again, and undone once", async (_fault, fault) => {
    const goods = await basket(shop);
    shop.queues.repeat = repeated;
    const { saga } = await stuckAt("payment_charged", goods);
    shop.set({ RESEND_MS: 100 });
    for (const type of ["release", "refund", "stock_released", "payment_refunded"]) shop.queues.next(type, fault);
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOfSaga(saga)).toBe("failed");
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });
});

describe("a queue that forgets", () => {
  test("the queue server dies with everything in it, under 20 checkouts: each is paid, by what the sagas' records say", async () => {
    shop.set({ RESEND_MS: 200 });
    const goods = await Promise.all(Array.from({ length: 20 }, () => basket(shop)));
    const { fault, reached, open } = shop.queues.gate();
    shop.queues.always("stock_reserved", fault);
    const answers = goods.map(({ order }) => checkout(order));
    await reached;
    await shop.queues.loseAll(300);
    open();
    shop.queues.heal();
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ status: 200, body: "paid" });
    await shop.queues.quiet();
    for (const each of goods) expect(await stateOf(shop, each)).toEqual(PAID);
  });

  test("nobody waits any more, and the messages are gone: the schedule sends again what has made no progress", async () => {
    const goods = await basket(shop);
    shop.queues.next("stock_reserved", lost);
    shop.set({ RESEND_MS: 100_000 });
    expect((await checkout(goods.order, 1_500)).status).toBe(202);
    shop.set({ RESEND_MS: 200 });
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("what makes progress is not sent again", async () => {
    const goods = await basket(shop);
    const { fault, reached, open } = shop.queues.gate();
    shop.queues.next("stock_reserved", fault);
    shop.set({ RESEND_MS: 5_000 });
    const asked = checkout(goods.order);
    await reached;
    expect(await shop.run("order/resume-sagas", 1_600)).toEqual({ settled: 0, open: 1 });
    open();
    expect((await asked).status).toBe(200);
    await shop.queues.quiet();
    expect(shop.queues.count("checkout_started")).toBe(1);
  });

  test("payment's function fails for a while: nothing is refused, and all is paid once it works", async () => {
    shop.set({ RESEND_MS: 300 });
    const goods = await Promise.all(Array.from({ length: 10 }, () => basket(shop)));
    shop.queues.always("stock_reserved", async () => (await sleep(100), "again"));
    const answers = goods.map(({ order }) => checkout(order));
    await sleep(1_500);
    shop.queues.heal();
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ status: 200, body: "paid" });
  });

  test("the queue server cannot be reached at all: 202, and the checkout goes on when it is there", async () => {
    const goods = await basket(shop);
    const lostAll = shop.queues.loseAll(1_500);
    expect((await checkout(goods.order, 1_200)).status).toBe(202);
    await lostAll;
    shop.set({ RESEND_MS: 100 });
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });
});

test("the queue server takes connections and answers nothing: 202 within the request's time, and the checkout goes on when it is there", async () => {
  const goods = await basket(shop);
  shop.set({ RESEND_MS: 500 });
  const recover = await shop.queues.hang();
  const asked = Date.now();
  expect((await checkout(goods.order, 2_000)).status).toBe(202);
  // One attempt to send takes 3 s, all of them 12.
  expect(Date.now() - asked).toBeLessThan(10_000);
  await recover();
  shop.set({ RESEND_MS: 100 });
  expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
  expect(await stateOf(shop, goods)).toEqual(PAID);
});

test("who asks again for a checkout that makes no progress does not have it sent sooner than after a growing pause", async () => {
  const goods = await basket(shop);
  shop.queues.always("checkout_started", lost);
  shop.set({ RESEND_MS: 700 });
  for (let times = 0; times < 8; times++) expect((await checkout(goods.order, 1_500)).status).toBe(202);
  await shop.queues.quiet();
  // After 0, 0.7, 2.1, 4.9 and 10.5 s, of which eight requests take 5.6 at least: not with each of these.
  expect(shop.queues.count("checkout_started")).toBeLessThan(7);
  shop.queues.heal();
  shop.set({ RESEND_MS: 10 });
  expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
  expect(await stateOf(shop, goods)).toEqual(PAID);
});

test("order's Redis refuses what gives a late checkout up: whoever waits for it tries at growing pauses, until it does", async () => {
  const goods = await basket(shop);
  const { fault, reached } = shop.queues.gate();
  shop.queues.always("stock_reserved", fault);
  shop.set({ EVENT_SAGA_TIMEOUT_MS: 2_000, RESEND_MS: 100_000 });
  const redis = shop.client("order");
  const refusals = async (): Promise<number> =>
    Number(/errorstat_OOM:count=(\d+)/.exec(await redis.info("errorstats"))?.[1] ?? 0);
  const answer = checkout(goods.order, 10_000);
  await reached;
  const before = await refusals();
  await redis.config("SET", "maxmemory", "1");
  try {
    while ((await refusals()) === before) await sleep(20);
    await sleep(1_500);
    expect((await refusals()) - before).toBeLessThan(100);
  } finally {
    await redis.config("SET", "maxmemory", "0");
  }
  expect(await answer).toMatchObject({ status: 503, code: "checkout_aborted" });
  expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
});

describe("messages that should not come", () => {
  const transient = /^(claim|saga|reservation|charge|idempotency):/;
  const leftovers = async (): Promise<string[]> =>
    (await Promise.all((["order", "stock", "payment"] as const).map((name) => shop.keys(name))))
      .flat()
      .filter((key) => transient.test(key));

  test("a day late, when the saga is forgotten: none of its messages changes anything, or leaves a row", async () => {
    const [goods, poor] = [await basket(shop), await basket(shop, { credit: 1 })];
    await checkout(goods.order);
    await checkout(poor.order);
    await shop.queues.quiet();
    const sent = [...shop.queues.deliveries];
    await sleep(5);
    shop.set({ RETENTION_MS: 1 });
    await shop.run("order/maintain");
    expect(await leftovers()).toEqual([]);
    const sagas = [...new Set(sent.map(({ saga }) => saga))];
    // Of what would leave a marker only that counts which is older than any clock is wrong.
    for (const { to, type, body } of sent) if (type !== "payment_refused") await shop.queues.send(to, {}, body);
    const refusal = { code: "insufficient_credit", message: "" };
    for (const saga of sagas) {
      const about = { saga, startedAt: Date.now() - 86_400_000, order: goods.order };
      await shop.queues.send("stock", { type: "release", ...about });
      await shop.queues.send("stock", { type: "payment_refused", ...about, refusal });
      await shop.queues.send("payment", { type: "refund", ...about });
      await shop.queues.send("order", { type: "payment_charged", ...about });
    }
    await shop.queues.quiet();
    expect(await leftovers()).toEqual([]);
    expect(await stateOf(shop, goods)).toEqual(PAID);
    expect(await stateOf(shop, poor)).toEqual({ paid: false, stock: 10, credit: 1 });
  });

  test("as old as markers get, by a clock that differs from that of whoever has them dropped: no step is done", async () => {
    const { item, user, order } = await basket(shop);
    const about = { saga: "nearly", startedAt: Date.now() - 86_400_000 + 20_000, order };
    await shop.queues.send("stock", { type: "checkout_started", ...about, lines: [[item, 3]], user, amount: 15 });
    await shop.queues.send("payment", { type: "stock_reserved", ...about, user, amount: 15 });
    await shop.queues.quiet();
    expect(await stateOf(shop, { item, user, order })).toEqual(UNTOUCHED);
    expect((await leftovers()).filter((key) => key.endsWith(":nearly"))).toEqual([]);
  });

  test("a release and a refund that come first leave tombstones: the step that comes after them is never done", async () => {
    const goods = await basket(shop);
    const about = { saga: "backwards", startedAt: Date.now(), order: goods.order };
    await shop.queues.send("stock", { type: "release", ...about });
    await shop.queues.send("payment", { type: "refund", ...about });
    await shop.queues.quiet();
    await shop.queues.send("stock", {
      type: "checkout_started",
      ...about,
      lines: [[goods.item, 3]],
      user: goods.user,
      amount: 15,
    });
    await shop.queues.send("payment", { type: "stock_reserved", ...about, user: goods.user, amount: 15 });
    await shop.queues.quiet();
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });

  test("poison: it is tried as often as a message may be, ends in the dead-letter queue, and holds up nobody", async () => {
    const goods = await basket(shop);
    await shop.queues.send("stock", {}, "no message at all");
    await shop.queues.send("stock", { type: "unknown", saga: "x", startedAt: 0, order: "x" });
    expect((await checkout(goods.order)).status).toBe(200);
    while ((await shop.queues.depth("stock", true)) < 1) await sleep(20);
    expect(shop.queues.count("unknown")).toBe(MOST_RECEIVES);
    // Without a signature it may be a key that is being changed: that is given time.
    expect(shop.queues.count("none")).toBeLessThan(MOST_RECEIVES);
    await shop.queues.loseAll();
  });

  test("a message that none of the services has signed, or has signed for another queue, changes nothing", async () => {
    const goods = await basket(shop);
    const about = { saga: "forged", startedAt: Date.now(), order: goods.order };
    const message = { type: "stock_reserved", ...about, user: goods.user, amount: 15 } as const;
    const refund = { type: "refund", ...about } as const;
    const release = { type: "release", ...about } as const;
    const genuine = await signMessage({ to: "payment", message });
    const [signature = "", text = ""] = genuine.split("\n");
    await shop.queues.send("payment", {}, text);
    await shop.queues.send("payment", {}, `${signature}\n${text.replace('"amount":15', '"amount":1')}`);
    await shop.queues.send("stock", {}, await signMessage({ to: "payment", message: refund }));
    // Stock would do this, had somebody who may write to payment's queue only not put it into its own.
    await shop.queues.send("stock", {}, await signMessage({ to: "payment", message: release as never }));
    await sleep(300);
    expect(await shop.row("stock", "reservation:forged")).toBeNull();
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    await shop.queues.send("payment", {}, genuine);
    await sleep(300);
    expect(await stateOf(shop, goods)).toEqual({ ...UNTOUCHED, credit: 85 });
    await shop.queues.loseAll();
  });
});

test("what follows from it cannot be sent: the message comes again, and what it did is not done twice", async () => {
  const { item, user, order } = await basket(shop);
  const { handler } = (await import("../../stock/on-events.ts")) as unknown as {
    handler: (event: SQSEvent, context: unknown) => Promise<SQSBatchResponse>;
  };
  const about = { saga: "unsent", startedAt: Date.now(), order };
  const message = {
    type: "checkout_started" as const,
    ...about,
    lines: [[item, 3] as [string, number]],
    user,
    amount: 15,
  };
  const record = recordOf({ MessageId: "m", Body: await signMessage({ to: "stock", message }) });
  const gone = shop.queues.loseAll(2_500);
  await sleep(300);
  for (let times = 0; times < 2; times++)
    expect(await handler({ Records: [record] }, lambdaContext("stock-on-events", 4_000))).toEqual({
      batchItemFailures: [{ itemIdentifier: "m" }],
    });
  await gone;
  expect(await stockOf(shop, item)).toBe(7);
});

test("a batch: its messages share a group commit; the one that fails comes again, the others do not", async () => {
  const [item, user] = [await newItem(shop, { stock: 100, price: 1 }), await newUser(shop, 100)];
  const order = await newOrder(shop, user, [[item, 1]]);
  const { handler } = (await import("../../stock/on-events.ts")) as unknown as {
    handler: (event: SQSEvent, context: unknown) => Promise<SQSBatchResponse>;
  };
  const records = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const about = { saga: `batch-${i}`, startedAt: Date.now(), order };
      const message = {
        type: "checkout_started" as const,
        ...about,
        lines: [[item, 1] as [string, number]],
        user,
        amount: 1,
      };
      const body = await signMessage({ to: "stock", message });
      return recordOf({ MessageId: `m${i}`, Body: i === 4 ? body.replace("v1=", "v1=0") : body });
    }),
  );
  const execs = async (): Promise<number> => {
    const [stats = ""] = (await (await shop.state("stock")).occ.query([["info", "commandstats"]])) as string[];
    return Number(/cmdstat_exec:calls=(\d+)/.exec(stats)?.[1]);
  };
  const before = await execs();
  const { batchItemFailures } = await handler({ Records: records }, lambdaContext("stock-on-events"));
  expect(batchItemFailures).toEqual([{ itemIdentifier: "m4" }]);
  expect(await stockOf(shop, item)).toBe(91);
  expect((await execs()) - before).toBeLessThan(6);
});

test("a batch that began late ends within its time, though Redis hangs then", async () => {
  const { item, user, order } = await basket(shop);
  const { handler } = (await import("../../stock/on-events.ts")) as unknown as {
    handler: (event: SQSEvent, context: unknown) => Promise<SQSBatchResponse>;
  };
  const message = {
    type: "checkout_started" as const,
    ...{ saga: "late", startedAt: Date.now(), order },
    lines: [[item, 3] as [string, number]],
    user,
    amount: 15,
  };
  const record = recordOf({ MessageId: "m", Body: await signMessage({ to: "stock", message }) });
  const hang = async (name: string): Promise<void> => {
    if (name !== "saga.reserve.before") return;
    await sleep(1_500);
    shop.redis.stock.pause();
  };
  Object.assign(globalThis, { [FAIL_POINT_HOOK]: hang });
  try {
    const started = Date.now();
    expect(await handler({ Records: [record] }, lambdaContext("stock-on-events", 4_000))).toEqual({
      batchItemFailures: [{ itemIdentifier: "m" }],
    });
    // A second of the invocation's time is left for its answer.
    expect(Date.now() - started).toBeLessThan(3_800);
  } finally {
    Object.assign(globalThis, { [FAIL_POINT_HOOK]: undefined });
    shop.redis.stock.resume();
  }
});
