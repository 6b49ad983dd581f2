/** What monitors are told of a service, and of the shop. */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { insteadOf } from "../../test/support/faults.ts";
import { Shop } from "../../test/support/shop.ts";

const serving = { status: "serving", epoch: expect.any(Number) as unknown };

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

test("a service that is being restored is 503 and says so, and so is the shop; the others serve", async () => {
  await shop.post("/stock/item/create/5");
  await shop.client("stock").flushall();
  await shop.client("stock").set("log:lock", "another process", "PX", 4_000);
  const restoring = { status: "restoring", error: { code: "restoring", retryable: true } };
  const service = await shop.get("/stock/health");
  expect(service).toMatchObject({ status: 503, retryAfter: "1", json: restoring });
  expect(await shop.get("/health")).toMatchObject({
    status: 503,
    retryAfter: "1",
    json: { status: "restoring", services: { order: serving, stock: restoring, payment: serving } },
  });
  await shop.client("stock").del("log:lock");
  for (let status = 0; status !== 200;) ({ status } = await shop.get("/stock/health"));
  expect(await shop.get("/health")).toMatchObject({
    status: 200,
    json: { status: "serving", services: { order: serving, stock: serving, payment: serving } },
  });
});

test.each([
  [502, { error: { code: "function_failed", message: "the function gave no answer" } }],
  [504, { message: "Endpoint request timed out" }],
  [404, { error: { code: "unknown_path", message: "there is no such route" } }],
  [200, null],
])("a service for which somebody else answers %i does not serve", async (status, body) => {
  shop.gateway.next("/stock/health", insteadOf(status, body));
  expect(await shop.get("/health")).toMatchObject({
    status: 503,
    json: {
      status: "unavailable",
      services: { order: serving, stock: { status: "unavailable", error: { code: "service_unavailable" } } },
    },
  });
});
