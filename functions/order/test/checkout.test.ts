import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { FAIL_POINT_HOOK } from "redis-occ/fail-points";
import { setRight } from "../../test/support/clock.ts";
import {
  delay,
  dropAnswer,
  after,
  breakBefore,
  errorOf,
  hang,
  hangAfter,
  insteadOf,
  twiceAtOnce,
  tooLate,
} from "../../test/support/faults.ts";
import type { Fault } from "../../test/support/gateway.ts";
import { basket, newItem, newOrder, newUser, PAID, stateOf, stockOf, UNTOUCHED } from "../../test/support/goods.ts";
import { logged } from "../../test/support/logged.ts";
import { leaveOpen } from "../../test/support/open-checkout.ts";
import { Shop } from "../../test/support/shop.ts";
import { NOT_DONE, sagaKey, type Saga } from "../sagas.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

const [RESERVE, RELEASE, CHARGE, REFUND] = ["/stock/reserve", "/stock/release", "/payment/charge", "/payment/refund"];

describe.each([
  ["each step delivered once", false],
  ["each step delivered twice", true],
])("checkout, %s", (_, repeated) => {
  const prepare = async (stocked?: { stock?: number; credit?: number }) => {
    const goods = await basket(shop, stocked);
    shop.gateway.repeatSteps = repeated;
    return goods;
  };

  test("a checkout that goes well takes the stock and the credit once and pays the order", async () => {
    const goods = await prepare();
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
      status: 200,
      type: "text/plain; charset=utf-8",
      body: "paid",
    });
    expect(await stateOf(shop, goods)).toEqual(PAID);
    expect(shop.gateway.deliveries.map(({ path }) => path)).toEqual([RESERVE, CHARGE]);
  });

  test("a paid order is answered 200 and charged no second time", async () => {
    const goods = await prepare();
    await shop.post(`/orders/checkout/${goods.order}`);
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({ status: 200, body: "paid" });
    expect(await stateOf(shop, goods)).toEqual(PAID);
    expect(shop.gateway.count(CHARGE)).toBe(1);
  });

  test("too little stock: 400, nothing is taken, nobody is charged, and the order is free for another try", async () => {
    const goods = await prepare({ stock: 2 });
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
      status: 400,
      type: "application/json",
      code: "insufficient_stock",
    });
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 2, credit: 100 });
    expect(shop.gateway.count(CHARGE)).toBe(0);
    await shop.post(`/stock/add/${goods.item}/8`);
    expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("too little credit: 400, and the stock is back before the answer", async () => {
    const goods = await prepare({ credit: 14 });
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
      status: 400,
      code: "insufficient_credit",
    });
    expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 14 });
    expect(shop.gateway.count(REFUND)).toBe(0);
    await shop.post(`/payment/add_funds/${goods.user}/86`);
    expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
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
    shop.gateway.repeatSteps = repeated;
    expect(await shop.post(`/orders/checkout/${order}`)).toMatchObject({ status: 400, code: "insufficient_stock" });
    expect(await Promise.all([stockOf(shop, plenty), stockOf(shop, few)])).toEqual([10, 1]);
  });

  test.each([
    [
      "unknown user",
      "unknown_user",
      async (): Promise<string> => newOrder(shop, "nobody", [[await newItem(shop, { stock: 10, price: 5 }), 1]]),
    ],
    ["no items", "empty_order", async (): Promise<string> => newOrder(shop, "nobody", [])],
    ["unknown order", "unknown_order", async (): Promise<string> => "nothing-of-this-name"],
  ] as const)("%s: 400", async (_name, code, make) => {
    const order = await make();
    shop.gateway.repeatSteps = repeated;
    expect(await shop.post(`/orders/checkout/${order}`)).toMatchObject({ status: 400, code });
  });

  const steps = [
    ["reserve", RESERVE],
    ["charge", CHARGE],
  ] as const;

  // What certainly was not done, or only takes a while, is tried again within the saga's time.
  const passing: readonly (readonly [string, Fault])[] = [
    ["is slow", delay(120)],
    ["answers 503 at first", insteadOf(503)],
    ["answers 429 at first", insteadOf(429)],
    ["arrives twice at once", twiceAtOnce],
    ["was done and answers 503", after(503)],
  ];
  describe.each(steps)("the %s", (_step, path) => {
    test.each(passing)("%s: paid, both effects once", async (_fault, fault) => {
      const goods = await prepare();
      shop.gateway.next(path, fault);
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });
  });

  // What may have been done or not is undone: 503, and nothing is left of it.
  const ambiguous: readonly (readonly [string, Fault])[] = [
    ["never answers", hang],
    ["was done and never answers", hangAfter],
    ["was done and its answer is lost", dropAnswer],
    ["is lost on its way", breakBefore],
    ["fails with 500", insteadOf(500)],
    ["sits behind a 200 of somebody else", insteadOf(200)],
    ["was done and fails with 500", after(500)],
    ["fails with 504", insteadOf(504)],
    ["was done and fails with 502", after(502)],
  ];
  describe.each(steps)("the %s", (_step, path) => {
    test.each(ambiguous)("%s: 503 to be retried, neither effect is left, and the retry pays", async (_fault, fault) => {
      const goods = await prepare();
      if (fault === hang || fault === hangAfter) shop.hurry();
      // After a connection breaks, the call is tried once more on another one.
      shop.gateway.always(path, fault);
      const answer = await shop.post(`/orders/checkout/${goods.order}`);
      expect(answer).toMatchObject({
        status: 503,
        type: "application/json",
        code: "checkout_aborted",
        retryAfter: "1",
      });
      await shop.gateway.quiet();
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      await shop.reset();
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });

    test("is answered 503 for longer than the saga may take: 503, neither effect is left", async () => {
      const goods = await prepare();
      shop.set({ SAGA_TIMEOUT_MS: 300 });
      shop.gateway.always(path, insteadOf(503));
      expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
        status: 503,
        code: "checkout_aborted",
      });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    });

    test("gets a 400 that is not of the service (a proxy's): 503, never 400, and neither effect is left", async () => {
      const goods = await prepare();
      shop.gateway.always(path, after(400));
      expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
        status: 503,
        code: "checkout_aborted",
      });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    });

    test("of a saga that the service takes for too old (a clock is wrong): 503, never 400, and neither effect is left", async () => {
      const goods = await prepare();
      shop.gateway.always(path, async (execute) => {
        // The step was done, its answer was lost, and the repetition came too late.
        await execute();
        shop.set({ RETENTION_MS: 1 });
        const answer = await execute();
        shop.set({ RETENTION_MS: 86_400_000 });
        return answer;
      });
      expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
        status: 503,
        code: "checkout_aborted",
      });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    });

    test("arrives only after it was undone: it is refused, and neither effect comes back", async () => {
      const goods = await prepare();
      shop.hurry();
      let late: Promise<unknown> = Promise.resolve();
      let undone!: () => void;
      const rolledBack = new Promise<void>((resolve) => (undone = resolve));
      shop.gateway.next(path, async (execute) => {
        late = rolledBack.then(execute);
        return "hang";
      });
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(503);
      undone();
      expect(await late).toMatchObject({ statusCode: 400, body: expect.stringContaining("step_compensated") });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    });
  });

  const undoing = [
    ["release", RELEASE],
    ["refund", REFUND],
  ] as const;
  describe.each(undoing)("the %s", (_step, path) => {
    test.each([
      ["503", insteadOf(503)],
      ["500", insteadOf(500)],
      ["200 of somebody else", insteadOf(200)],
      ["a lost answer", dropAnswer],
      ["a lost request", breakBefore],
      ["400 from a proxy", insteadOf(400)],
      ["400 in the services' own form, of something on the way", insteadOf(400, errorOf("invalid_path"))],
      ["404 while routes are deployed", insteadOf(404)],
    ] as const)("fails three times (%s) and then succeeds: undone once, by the same request", async (_fault, fault) => {
      const goods = await prepare();
      shop.gateway.next(CHARGE, after(500));
      shop.gateway.next(path, fault, 3);
      expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
        status: 503,
        code: "checkout_aborted",
      });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
    });

    test("fails for as long as the request has time: 503 pending, and resume-sagas settles it later", async () => {
      const goods = await prepare();
      expect(await leaveOpen(shop, goods.order, { undoing: path })).toMatchObject({
        status: 503,
        code: "checkout_pending",
        retryAfter: "1",
      });
      expect(await shop.post(`/orders/addItem/${goods.order}/${goods.item}/1`)).toMatchObject({
        status: 409,
        code: "checkout_running",
      });
      shop.gateway.heal();
      expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
      expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
      expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
      expect(await stateOf(shop, goods)).toEqual(PAID);
    });

    test("gives a refused checkout its own answer once it is done, however often it failed", async () => {
      const goods = await prepare({ credit: 1 });
      shop.gateway.next(RELEASE, insteadOf(500), 3);
      expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({
        status: 400,
        code: "insufficient_credit",
      });
      expect(await stateOf(shop, goods)).toEqual({ paid: false, stock: 10, credit: 1 });
    });
  });

  test("the rollback is written down before any of it is done", async () => {
    const goods = await prepare();
    shop.gateway.next(CHARGE, after(500));
    const seen: unknown[] = [];
    shop.gateway.always(REFUND, async (execute) => {
      const claim = await shop.row<{ saga: string }>("order", `claim:${goods.order}`);
      seen.push((await shop.row<{ state: string; undo: string[] }>("order", `saga:${claim?.saga}`)) ?? null);
      return execute();
    });
    await shop.post(`/orders/checkout/${goods.order}`);
    expect(seen).toEqual([expect.objectContaining({ state: "compensating", undo: ["charge", "reserve"] })]);
  });

  test("payment is down for the whole request: 503, then resume-sagas puts the stock back", async () => {
    const goods = await prepare();
    // First the saga's time is over, then that of the request.
    shop.gateway.next(CHARGE, tooLate(breakBefore, 6_000));
    shop.gateway.always(CHARGE, breakBefore);
    shop.gateway.always(REFUND, tooLate(breakBefore));
    expect(await shop.post(`/orders/checkout/${goods.order}`)).toMatchObject({ status: 503, code: "checkout_pending" });
    setRight();
    shop.gateway.heal();
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  });
});

test.each([
  ["longer than a header may be between the services", "x".repeat(16_200)],
  ["with characters that no header may have", "\u20ac"],
])("a client's traceparent %s: the checkout is paid all the same", async (_what, rest) => {
  const goods = await basket(shop);
  const known = `-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const headers = { traceparent: `01${known}-${rest}` };
  expect(await shop.post(`/orders/checkout/${goods.order}`, { headers })).toMatchObject({ status: 200, body: "paid" });
  expect(await stateOf(shop, goods)).toEqual(PAID);
  const { saga_id } = (await shop.get(`/orders/checkout/${goods.order}`)).json as { saga_id: string };
  expect(await shop.row<Saga>("order", sagaKey(saga_id))).toMatchObject({ traceparent: `00${known}` });
});

describe("a step that fails: the request log says it, and no customer is told", () => {
  const hook = (at: ((name: string) => Promise<void>) | undefined): unknown =>
    Object.assign(globalThis, { [FAIL_POINT_HOOK]: at });
  afterEach(() => void hook(undefined));

  test("by the address that nobody listens at", async () => {
    const goods = await basket(shop);
    shop.hurry();
    const path = `/orders/checkout/${goods.order}`;
    const lines = await logged(async () => {
      process.env["GATEWAY_URL"] = "http://127.0.0.1:1";
      try {
        await shop.post(path, { time: 2_500 });
      } finally {
        process.env["GATEWAY_URL"] = shop.gateway.url;
      }
    });
    const of = { message: "step", level: "warn", saga: expect.any(String) };
    const refused = expect.stringMatching(/^UnavailableError: .*ECONNREFUSED/);
    expect(lines.filter(({ message }) => message === "step")).toEqual([
      // The step, and what undoes it.
      expect.objectContaining({ ...of, error: refused }),
      expect.objectContaining({ ...of, error: refused }),
    ]);
    const { code, message } = NOT_DONE;
    expect((await shop.get(path)).json).toMatchObject({ state: "compensating", failure: { code, message } });
    expect(await shop.run("order/resume-sagas")).toEqual({ settled: 1, open: 0 });
    expect((await shop.get(path)).json).toMatchObject({ state: "failed", failure: { code, message } });
  });

  test("by a bug: with its stack", async () => {
    const goods = await basket(shop);
    hook(async (name) => {
      if (name === "saga.charge.before") throw new TypeError("a bug");
    });
    let body = "";
    const lines = await logged(async () => ({ body } = await shop.post(`/orders/checkout/${goods.order}`)));
    expect(body).toMatch(`was rolled back: ${NOT_DONE.message}`);
    expect(lines.filter(({ message }) => message === "step")).toEqual([
      expect.objectContaining({ level: "error", error: expect.stringMatching(/TypeError: a bug\n.*checkout.test.ts/) }),
    ]);
  });
});
