import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { after, breakBefore, insteadOf } from "../../test/support/faults.ts";
import {
  basket,
  creditOf,
  findOrder,
  newItem,
  newOrder,
  newUser,
  PAID,
  stateOf,
  stockOf,
} from "../../test/support/goods.ts";
import { leaveOpen } from "../../test/support/open-checkout.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

let count = 0;
const newKey = () => ({ headers: { "Idempotency-Key": `key-${++count}` } });

/** A mutating route: a request, another one that its key must not serve, and what its effect can be counted by. */
interface Case {
  readonly path: string;
  readonly other: string;
  readonly effect: () => Promise<unknown>;
}

const rows = async (name: "order" | "stock" | "payment", prefix: string) =>
  (await shop.keys(name)).filter((key) => key.startsWith(prefix)).length;

const cases: Record<string, () => Promise<Case>> = {
  "stock create item": async () => ({
    path: "/stock/item/create/5",
    other: "/stock/item/create/6",
    effect: () => rows("stock", "item:"),
  }),
  "stock add": async () => {
    const item = await newItem(shop, { stock: 10, price: 1 });
    return { path: `/stock/add/${item}/3`, other: `/stock/add/${item}/4`, effect: () => stockOf(shop, item) };
  },
  "stock subtract": async () => {
    const item = await newItem(shop, { stock: 1_000, price: 1 });
    return { path: `/stock/subtract/${item}/3`, other: `/stock/add/${item}/3`, effect: () => stockOf(shop, item) };
  },
  "stock batch init": async () => ({
    path: "/stock/batch_init/3/7/1",
    other: "/stock/batch_init/3/8/1",
    effect: async () => (await shop.row<{ generation: string; stock: number }>("stock", "item:2")) ?? {},
  }),
  "payment create user": async () => ({
    path: "/payment/create_user",
    other: "/payment/batch_init/1/1",
    effect: () => rows("payment", "user:"),
  }),
  "payment add funds": async () => {
    const user = await newUser(shop, 10);
    return {
      path: `/payment/add_funds/${user}/3`,
      other: `/payment/add_funds/${user}/4`,
      effect: () => creditOf(shop, user),
    };
  },
  "payment pay": async () => {
    const user = await newUser(shop, 1_000);
    return { path: `/payment/pay/${user}/3`, other: `/payment/pay/${user}/4`, effect: () => creditOf(shop, user) };
  },
  "payment batch init": async () => ({
    path: "/payment/batch_init/3/7",
    other: "/payment/batch_init/3/8",
    effect: async () => (await shop.row<{ generation: string }>("payment", "user:2")) ?? {},
  }),
  "order create": async () => ({
    path: "/orders/create/somebody",
    other: "/orders/create/else",
    effect: () => rows("order", "order:"),
  }),
  "order add item": async () => {
    const item = await newItem(shop, { stock: 0, price: 2 });
    const order = await newOrder(shop, "somebody", []);
    return {
      path: `/orders/addItem/${order}/${item}/3`,
      other: `/orders/addItem/${order}/${item}/4`,
      effect: () => findOrder(shop, order),
    };
  },
  "order batch init": async () => ({
    path: "/orders/batch_init/3/9/9/1",
    other: "/orders/batch_init/3/9/9/2",
    effect: async () => (await shop.row<{ generation: string }>("order", "order:2")) ?? {},
  }),
  "order checkout": async () => {
    const goods = await basket(shop);
    const other = await newOrder(shop, goods.user, [[goods.item, 1]]);
    return {
      path: `/orders/checkout/${goods.order}`,
      other: `/orders/checkout/${other}`,
      effect: () => stateOf(shop, goods),
    };
  },
};

describe.each(Object.entries(cases))("%s with an Idempotency-Key", (_name, make) => {
  test("the same request again gets the first answer and has no second effect", async () => {
    const { path, effect } = await make();
    const key = newKey();
    const before = await effect();
    const first = await shop.post(path, key);
    const once = await effect();
    expect(once).not.toEqual(before);
    expect(first.status).toBe(200);
    for (let i = 0; i < 3; i++) expect(await shop.post(path, key)).toEqual(first);
    expect(await effect()).toEqual(once);
  });

  test("20 times at once: one effect, one answer", async () => {
    const { path, effect } = await make();
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.post(path, key)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    const once = await effect();
    await shop.post(path, key);
    expect(await effect()).toEqual(once);
  });

  test("another request with the same key: 422, and it changes nothing", async () => {
    const { path, other, effect } = await make();
    const key = newKey();
    await shop.post(path, key);
    const once = await effect();
    expect(await shop.post(other, key)).toMatchObject({
      status: 422,
      type: "application/json",
      code: "idempotency_key_reused",
    });
    expect(await effect()).toEqual(once);
    expect((await shop.post(path, key)).status).toBe(200);
  });

  test("without a key the request has its effect each time", async () => {
    const { path, effect } = await make();
    await shop.post(path);
    const once = await effect();
    const answer = await shop.post(path);
    expect(answer.status).toBe(200);
    if (path.includes("checkout")) expect(await effect()).toEqual(once);
    else expect(await effect()).not.toEqual(once);
  });

  test.each(["", " ", "with space", "x".repeat(256), "café", "tab\there"])(
    "a key that is none (%j) is refused before anything is done",
    async (key) => {
      const { path, effect } = await make();
      const before = await effect();
      expect(await shop.post(path, { headers: { "Idempotency-Key": key } })).toMatchObject({
        status: 400,
        code: "invalid_idempotency_key",
      });
      expect(await effect()).toEqual(before);
    },
  );

  test("the header's name may be in any case, its value has up to 255 characters", async () => {
    const { path, effect } = await make();
    const value = `${++count}`.padEnd(255, "~");
    const first = await shop.post(path, { headers: { "IDEMPOTENCY-key": value } });
    const once = await effect();
    expect(await shop.post(path, { headers: { "idempotency-key": value } })).toEqual(first);
    expect(await effect()).toEqual(once);
  });
});

describe("a refusal with an Idempotency-Key is the answer from then on, whatever changes", () => {
  test("stock", async () => {
    const item = await newItem(shop, { stock: 1, price: 1 });
    const key = newKey();
    const first = await shop.post(`/stock/subtract/${item}/2`, key);
    expect(first).toMatchObject({ status: 400, code: "insufficient_stock" });
    await shop.post(`/stock/add/${item}/5`);
    expect(await shop.post(`/stock/subtract/${item}/2`, key)).toEqual(first);
    expect(await stockOf(shop, item)).toBe(6);
  });

  test("credit", async () => {
    const user = await newUser(shop, 1);
    const key = newKey();
    const first = await shop.post(`/payment/pay/${user}/2`, key);
    expect(first).toMatchObject({ status: 400, code: "insufficient_credit" });
    await shop.post(`/payment/add_funds/${user}/5`);
    expect(await shop.post(`/payment/pay/${user}/2`, key)).toEqual(first);
    expect(await creditOf(shop, user)).toBe(6);
  });

  test("an item unknown to the order", async () => {
    const order = await newOrder(shop, "somebody", []);
    const key = newKey();
    const first = await shop.post(`/orders/addItem/${order}/77/1`, key);
    expect(first).toMatchObject({ status: 400, code: "unknown_item" });
    await shop.post("/stock/batch_init/78/1/1");
    expect(await shop.post(`/orders/addItem/${order}/77/1`, key)).toEqual(first);
  });

  test("a checkout refused at once, and one refused by its saga", async () => {
    const empty = await newOrder(shop, "somebody", []);
    const [emptyKey, poorKey] = [newKey(), newKey()];
    const first = await shop.post(`/orders/checkout/${empty}`, emptyKey);
    expect(first).toMatchObject({ status: 400, code: "empty_order" });
    const goods = await basket(shop, { credit: 1 });
    const refused = await shop.post(`/orders/checkout/${goods.order}`, poorKey);
    expect(refused).toMatchObject({ status: 400, code: "insufficient_credit" });
    await shop.post(`/orders/addItem/${empty}/${goods.item}/1`);
    await shop.post(`/payment/add_funds/${goods.user}/99`);
    expect(await shop.post(`/orders/checkout/${empty}`, emptyKey)).toEqual(first);
    expect(await shop.post(`/orders/checkout/${goods.order}`, poorKey)).toEqual(refused);
    expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
    expect(await shop.post(`/orders/checkout/${goods.order}`, poorKey)).toEqual(refused);
  });
});

describe("what asks to be sent again may be sent again with its key", () => {
  test("a checkout that was rolled back (503) is tried anew, once", async () => {
    const goods = await basket(shop);
    const key = newKey();
    shop.gateway.next("/payment/charge", after(500));
    expect(await shop.post(`/orders/checkout/${goods.order}`, key)).toMatchObject({
      status: 503,
      code: "checkout_aborted",
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => shop.post(`/orders/checkout/${goods.order}`, key)),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(shop.gateway.count("/payment/charge")).toBe(2);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("a checkout that is pending is followed, not started again", async () => {
    const goods = await basket(shop);
    const key = newKey();
    expect(await leaveOpen(shop, goods.order, key)).toMatchObject({ status: 503, code: "checkout_pending" });
    shop.gateway.heal();
    expect(await shop.post(`/orders/checkout/${goods.order}`, key)).toMatchObject({
      status: 503,
      code: "checkout_aborted",
    });
    expect(shop.gateway.count("/stock/reserve")).toBe(1);
    expect((await shop.post(`/orders/checkout/${goods.order}`, key)).status).toBe(200);
    expect(await stateOf(shop, goods)).toEqual(PAID);
  });

  test("an item whose price could not be read is added by the next try", async () => {
    const goods = await basket(shop);
    const key = newKey();
    const path = `/orders/addItem/${goods.order}/${goods.item}/1`;
    shop.gateway.next(`/stock/find/${goods.item}`, breakBefore, 2);
    expect(await shop.post(path, key)).toMatchObject({ status: 503, code: "service_unavailable", retryAfter: "1" });
    expect(await shop.post(path, key)).toMatchObject({ status: 200, body: "20" });
    expect(await shop.post(path, key)).toMatchObject({ status: 200, body: "20" });
  });

  test("a batch that was answered keeps its answer while checkouts run on what it made", async () => {
    await shop.post("/stock/batch_init/1/10/1");
    await shop.post("/payment/batch_init/1/10");
    const key = newKey();
    const first = await shop.post("/orders/batch_init/1/1/1/1", key);
    expect(first.status).toBe(200);
    shop.gateway.next("/stock/reserve", async (execute) => {
      expect(await shop.post("/orders/batch_init/1/1/1/1", key)).toEqual(first);
      expect(await shop.post("/orders/batch_init/1/1/1/1", newKey())).toMatchObject({ status: 409 });
      return execute();
    });
    expect((await shop.post("/orders/checkout/0")).status).toBe(200);
  });
});

test("a key that was used for another batch is told before a batch is refused for its numbers", async () => {
  const key = newKey();
  expect((await shop.post("/orders/batch_init/1/1/1/1", key)).status).toBe(200);
  const beyond = `/orders/batch_init/1/1/1/${Number.MAX_SAFE_INTEGER}`;
  expect(await shop.post(beyond, key)).toMatchObject({ status: 422 });
  expect(await shop.post(beyond, newKey())).toMatchObject({ status: 400, code: "amount_out_of_range" });
  expect(await shop.post(beyond)).toMatchObject({ status: 400, code: "amount_out_of_range" });
});

test("an answer is kept in the same transaction as its effect", async () => {
  const item = await newItem(shop, { stock: 0, price: 1 });
  const state = await shop.state("stock");
  const key = newKey();
  await shop.post(`/stock/add/${item}/1`, key);
  // One line of the log has both.
  const { readdir, readFile } = await import("node:fs/promises");
  const folder = `${shop.folder}/log/stock`;
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const lines = (await Promise.all(names.map(({ parentPath, name }) => readFile(`${parentPath}/${name}`, "utf8"))))
    .join("\n")
    .split("\n");
  const line = lines.find((candidate) => candidate.includes(`"idempotency:${key.headers["Idempotency-Key"]}"`));
  expect(Object.keys((JSON.parse(line!) as { set: object }).set).sort()).toEqual([
    `idempotency:${key.headers["Idempotency-Key"]}`,
    `item:${item}`,
  ]);
  expect(state).toBeDefined();
});

test("a repetition is answered while the other service is down, and asks it nothing", async () => {
  const item = await newItem(shop, { stock: 0, price: 2 });
  const order = await newOrder(shop, "somebody", []);
  const path = `/orders/addItem/${order}/${item}/3`;
  const key = newKey();
  const first = await shop.post(path, key);
  expect(first).toMatchObject({ status: 200, body: "6" });
  shop.gateway.always(`/stock/find/${item}`, insteadOf(503));
  expect(await shop.post(path, key)).toEqual(first);
  expect(await shop.post(`/orders/addItem/${order}/${item}/4`, key)).toMatchObject({ status: 422 });
  expect(await shop.post(path, newKey())).toMatchObject({ status: 503 });
});

test("a batch whose key's record expires while it runs makes all of its rows", async () => {
  const ROWS = 20_000;
  await shop.post("/stock/batch_init/1/1/1");
  shop.set({ RETENTION_MS: 1 });
  const state = { over: false };
  const expiring = (async () => {
    let expired = 0;
    while (!state.over) expired += (await shop.run("stock/maintain"))["expired"] ?? 0;
    return expired;
  })();
  const answer = await shop.post(`/stock/batch_init/${ROWS}/7/1`, { ...newKey(), time: 60_000 });
  state.over = true;
  expect(await expiring).toBeGreaterThan(0);
  expect(answer.status).toBe(200);
  expect((await shop.keys("stock")).filter((key) => /^item:\d+$/.test(key))).toHaveLength(ROWS);
  for (let i = 0; i < ROWS; i += 997) expect(await stockOf(shop, String(i))).toBe(7);
}, 60_000);

test("records whose time is ahead (a clock put back) are deleted with those beside them, and keep nobody busy", async () => {
  const { expireIdempotency } = await import("../expire.ts");
  const state = await shop.state("stock");
  const item = await newItem(shop, { stock: 0, price: 1 });
  const [ahead, fresh] = [newKey(), newKey()];
  await state.occ.transact([`idempotency:${ahead.headers["Idempotency-Key"]}`], () => ({
    result: null,
    set: {
      [`idempotency:${ahead.headers["Idempotency-Key"]}`]: {
        request: "POST /x",
        at: Date.now() + 3_600_000,
        kept: { pending: "x" },
      },
    },
  }));
  await shop.post(`/stock/add/${item}/1`, fresh);
  // The index says that all of it was written before now; the fresh one says otherwise of itself.
  const now = Date.now();
  await expireIdempotency(state, now, now + 600_000);
  expect(await rows("stock", `idempotency:${ahead.headers["Idempotency-Key"]}`)).toBe(0);
});

test("a key that was used anew since it was listed is not listed for ever", async () => {
  const { expireIdempotency } = await import("../expire.ts");
  const state = await shop.state("stock");
  const item = await newItem(shop, { stock: 0, price: 1 });
  await shop.post(`/stock/add/${item}/1`, newKey());
  // Its own time is later than what the index says, as of a clock that is a little ahead.
  const listed = await state.keys("idempotency:");
  const ahead = Object.create(state, {
    keys: { value: async (_: string, { limit = 0 } = {}) => listed.slice(0, limit) },
    occ: { value: state.occ },
  }) as typeof state;
  expect(await expireIdempotency(ahead, 1, Date.now() + 600_000)).toBe(0);
});

test("a record that was deleted and whose key was used anew is not deleted with the old ones", async () => {
  const { expireIdempotency } = await import("../expire.ts");
  const state = await shop.state("stock");
  const item = await newItem(shop, { stock: 0, price: 1 });
  const key = newKey();
  await shop.post(`/stock/add/${item}/1`, key);
  // This process lists the record, and it is made anew before the process deletes it: what the index says is older than
  // the record itself.
  const list = state.keys.bind(state);
  const stale = await list("idempotency:");
  let first = true;
  const racing = Object.create(state, {
    keys: { value: async () => (first ? ((first = false), stale) : []) },
    occ: { value: state.occ },
  }) as typeof state;
  expect(await expireIdempotency(racing, Date.now() - 60_000, Date.now() + 2_000)).toBe(0);
  await shop.post(`/stock/add/${item}/1`, key);
  expect(await stockOf(shop, item)).toBe(1);
});
