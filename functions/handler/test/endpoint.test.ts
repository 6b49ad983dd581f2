import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { lambdaContext, proxyEvent } from "../../test/support/invocation.ts";
import { logged } from "../../test/support/logged.ts";
import { Shop } from "../../test/support/shop.ts";
import { json } from "../../http/answer.ts";
import { endpoint } from "../endpoint.ts";
import { Amount } from "../../http/parameters.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => void (process.env["LOG_LEVEL"] = "silent"));

const request = (headers = {}) =>
  proxyEvent({
    method: "POST",
    path: "/stock/add/x/1",
    resource: "/stock/add/{item_id}/{amount}",
    pathParameters: { item_id: "x", amount: "1" },
    headers,
  });

test("each request is one line of the log, with its status and how long it took, and no header or body", async () => {
  const lines = await logged(() => shop.post("/stock/add/nowhere/1", { headers: { Authorization: "a secret" } }));
  const requests = lines.filter(({ message }) => message === "request");
  expect(requests).toEqual([
    expect.objectContaining({
      level: "info",
      service: "stock",
      method: "POST",
      path: "/stock/add/nowhere/1",
      status: 400,
      ms: expect.any(Number),
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain("a secret");
});

test("a checkout's line names its saga", async () => {
  const { basket } = await import("../../test/support/goods.ts");
  const { order } = await basket(shop);
  const lines = await logged(() => shop.post(`/orders/checkout/${order}`));
  const sagas = lines.filter(({ message }) => message === "request").map(({ path, saga }) => [path, saga]);
  const names = new Set(sagas.filter(([, saga]) => saga !== undefined).map(([, saga]) => saga));
  expect(names.size).toBe(1);
  expect(sagas.map(([path]) => path)).toEqual(
    expect.arrayContaining([`/orders/checkout/${order}`, "/stock/reserve", "/payment/charge"]),
  );
});

test("a bug is answered 500 without what it was, and its log line has the stack", async () => {
  const { stock } = await import("../../stock/service.ts");
  const handler = endpoint({
    service: stock,
    route: "POST /stock/add/{item_id}/{amount}",
    path: { amount: Amount },
    handle: () => Promise.reject(new Error("a bug")),
  });
  let result: { statusCode: number; body: string } | undefined;
  const lines = await logged(async () => (result = await handler(request(), lambdaContext("f"))));
  expect(result).toMatchObject({ statusCode: 500, body: expect.not.stringContaining("a bug") });
  expect(lines).toEqual([
    expect.objectContaining({ level: "error", status: 500, error: expect.stringContaining("endpoint.test.ts") }),
  ]);
});

test("an invocation with no time left is answered 503, not 500, and does nothing", async () => {
  for (const time of [1, 499, 501, 503])
    expect((await shop.post("/stock/item/create/1", { time })).status).not.toBe(500);
  expect(await shop.post("/stock/item/create/1", { time: 100 })).toMatchObject({
    status: 503,
    code: "restoring",
    retryAfter: "1",
  });
});

test("a restore that takes nearly all the time leaves a timeout, not a bug", async () => {
  const { stock } = await import("../../stock/service.ts");
  let remaining = 600;
  // The time runs out between the check of the state and the handler.
  const context = { ...lambdaContext("f"), getRemainingTimeInMillis: () => (remaining -= 200) };
  const handler = endpoint({
    service: stock,
    route: "POST /stock/add/{item_id}/{amount}",
    path: { amount: Amount },
    handle: async ({ state, deadline, now }) => json(await state.occ.read(["x"], { timeout: deadline - now })),
  });
  remaining = 800;
  expect([200, 503]).toContain((await handler(request(), context)).statusCode);
});

test("an invocation does not wait for the connections that it leaves open", async () => {
  const context = lambdaContext("f");
  const { handler } = await import("../../stock/add.ts");
  await handler(request(), context);
  expect(context.callbackWaitsForEmptyEventLoop).toBe(false);
});

test("while its Redis hangs a service answers 503 within its time, and goes on once it is back", async () => {
  await shop.post("/stock/batch_init/1/5/5");
  shop.redis.stock.pause();
  const [read, write] = await Promise.all([
    shop.get("/stock/find/0", { time: 1_200 }),
    shop.post("/stock/add/0/1", { time: 1_200 }),
  ]);
  shop.redis.stock.resume();
  expect(read.status).toBe(503);
  expect([503, 504]).toContain(write.status);
  expect(read.retryAfter).toBe("1");
  const before = ((await shop.get("/stock/find/0")).json as { stock: number }).stock;
  // "Nothing was changed" is said only where it is true.
  if (write.status === 503) expect(before).toBe(5);
  expect(await shop.post("/stock/add/0/1")).toMatchObject({ status: 200, body: String(before + 1) });
});
