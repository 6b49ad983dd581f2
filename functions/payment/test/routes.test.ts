import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { creditOf, newUser } from "../../test/support/goods.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());

const MAX = Number.MAX_SAFE_INTEGER;
const refusal = (code: string) => ({ status: 400, type: "application/json", code, retryAfter: undefined });

test("POST /payment/create_user answers the id of a user without credit", async () => {
  const answer = await shop.post("/payment/create_user");
  expect(answer).toMatchObject({
    status: 200,
    type: "application/json",
    json: { user_id: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/) },
  });
  const { user_id } = answer.json as { user_id: string };
  const found = await shop.get(`/payment/find_user/${user_id}`);
  expect(found).toMatchObject({ status: 200, type: "application/json", json: { user_id, credit: 0 } });
  expect(Object.keys(found.json as object)).toEqual(["user_id", "credit"]);
});

test("adding funds answers done, paying answers the new credit as text", async () => {
  const id = await newUser(shop, 0);
  expect(await shop.post(`/payment/add_funds/${id}/7`)).toMatchObject({
    status: 200,
    type: "application/json",
    json: { done: true },
  });
  expect(await shop.post(`/payment/pay/${id}/3`)).toMatchObject({
    status: 200,
    type: "text/plain; charset=utf-8",
    body: "4",
  });
  expect(await creditOf(shop, id)).toBe(4);
});

test("more than the credit cannot be paid, and nothing changes", async () => {
  const id = await newUser(shop, 4);
  expect(await shop.post(`/payment/pay/${id}/5`)).toMatchObject(refusal("insufficient_credit"));
  expect(await creditOf(shop, id)).toBe(4);
});

test("credit goes up to 2^53-1 and not beyond", async () => {
  const id = await newUser(shop, 1);
  expect(await shop.post(`/payment/add_funds/${id}/${MAX}`)).toMatchObject(refusal("amount_out_of_range"));
  expect((await shop.post(`/payment/add_funds/${id}/${MAX - 1}`)).status).toBe(200);
  expect(await shop.post(`/payment/add_funds/${id}/1`)).toMatchObject(refusal("amount_out_of_range"));
  expect(await shop.post(`/payment/pay/${id}/${MAX}`)).toMatchObject({ status: 200, body: "0" });
});

describe.each(["add_funds", "pay"])("POST /payment/%s", (operation) => {
  test.each(["-1", "1.5", "1e3", "", "abc", String(2 ** 53), "9".repeat(100)])(
    "refuses the amount %j",
    async (amount) => {
      const id = await newUser(shop, 9);
      expect(await shop.post(`/payment/${operation}/${id}/${amount}`)).toMatchObject(refusal("invalid_number"));
      expect(await creditOf(shop, id)).toBe(9);
    },
  );

  test("refuses a user that is not there, and one that cannot be", async () => {
    expect(await shop.post(`/payment/${operation}/nobody/1`)).toMatchObject(refusal("unknown_user"));
    expect(await shop.post(`/payment/${operation}/no.body/1`)).toMatchObject(refusal("invalid_id"));
  });

  test("counts each of many at the same time", async () => {
    const id = await newUser(shop, 500);
    await Promise.all(Array.from({ length: 100 }, () => shop.post(`/payment/${operation}/${id}/3`)));
    expect(await creditOf(shop, id)).toBe(operation === "pay" ? 200 : 800);
  });
});

test("finding refuses a user that is not there, and one that cannot be", async () => {
  expect(await shop.get("/payment/find_user/nobody")).toMatchObject(refusal("unknown_user"));
  expect(await shop.get("/payment/find_user/a%20b")).toMatchObject(refusal("invalid_id"));
});

test("POST /payment/batch_init makes users 0 to n-1, over what was there", async () => {
  expect(await shop.post("/payment/batch_init/1500/7")).toMatchObject({
    status: 200,
    json: { msg: expect.any(String) },
  });
  for (const id of [0, 999, 1_000, 1_499]) expect(await creditOf(shop, String(id))).toBe(7);
  expect((await shop.get("/payment/find_user/1500")).code).toBe("unknown_user");
  await shop.post("/payment/batch_init/1/0");
  expect([await creditOf(shop, "0"), await creditOf(shop, "1")]).toEqual([0, 7]);
});

test.each(["0/1", "1000001/1", "1/-1", "x/1", `1/${2 ** 53}`])(
  "POST /payment/batch_init/%s is refused",
  async (parameters) => {
    expect(await shop.post(`/payment/batch_init/${parameters}`)).toMatchObject(refusal("invalid_number"));
  },
);

describe("the steps of a saga", () => {
  let count = 0;
  const step = () => ({ saga: `routes-${++count}`, startedAt: Date.now() });

  test("charge takes, refund gives back; both answer the same again", async () => {
    const user = await newUser(shop, 5);
    const saga = step();
    const body = { ...saga, user, amount: 2 };
    for (let i = 0; i < 2; i++)
      expect(await shop.signed("/payment/charge", body)).toMatchObject({ status: 200, json: { done: true } });
    expect(await creditOf(shop, user)).toBe(3);
    for (let i = 0; i < 2; i++)
      expect(await shop.signed("/payment/refund", saga)).toMatchObject({ status: 200, json: { done: true } });
    expect(await shop.signed("/payment/charge", body)).toMatchObject(refusal("step_compensated"));
    expect(await creditOf(shop, user)).toBe(5);
  });

  test("a refused charge is refused again, also once there is enough", async () => {
    const user = await newUser(shop, 1);
    const body = { ...step(), user, amount: 2 };
    const first = await shop.signed("/payment/charge", body);
    expect(first).toMatchObject(refusal("insufficient_credit"));
    await shop.post(`/payment/add_funds/${user}/5`);
    expect(await shop.signed("/payment/charge", body)).toEqual(first);
    expect(await creditOf(shop, user)).toBe(6);
  });

  test("what is charged leaves room to come back: adding is refused before a refund could overflow", async () => {
    const user = await newUser(shop, MAX);
    const saga = step();
    await shop.signed("/payment/charge", { ...saga, user, amount: 10 });
    expect(await shop.post(`/payment/add_funds/${user}/1`)).toMatchObject(refusal("amount_out_of_range"));
    expect((await shop.signed("/payment/refund", saga)).status).toBe(200);
    expect(await creditOf(shop, user)).toBe(MAX);
  });

  test.each([
    ["an amount of -1", { user: "u", amount: -1 }, "invalid_body"],
    ["an amount of 2^53", { user: "u", amount: 2 ** 53 }, "invalid_body"],
    ["no user", { amount: 1 }, "invalid_body"],
    ["a user that is no id", { user: "", amount: 1 }, "invalid_id"],
  ])("%s is refused", async (_what, body, code) => {
    expect(await shop.signed("/payment/charge", { ...step(), ...body })).toMatchObject(refusal(code));
  });
});

describe.each(["/payment/charge", "/payment/refund", "/payment/forget"])("POST %s without a good signature", (path) => {
  const body = JSON.stringify({ saga: "unsigned", sagas: ["unsigned"], startedAt: Date.now(), user: "0", amount: 1 });
  test("is forbidden, and nothing is done", async () => {
    for (const headers of [{}, { "x-shop-signature": `t=${Date.now()},v1=${"f".repeat(64)}` }]) {
      expect(await shop.post(path, { body, headers })).toMatchObject({ status: 403, code: "forbidden" });
    }
    expect(await shop.row("payment", "charge:unsigned")).toBeNull();
  });

  test("and one whose signature has expired may be sent again: 503", async () => {
    expect(await shop.signed(path, body, { age: 30_500 })).toMatchObject({
      status: 503,
      code: "signature_expired",
      retryAfter: "1",
    });
    expect(await shop.row("payment", "charge:unsigned")).toBeNull();
  });
});
