import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { newItem, stockOf } from "../../test/support/goods.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());

const MAX = Number.MAX_SAFE_INTEGER;
const TEXT = "text/plain; charset=utf-8";
const NO_NUMBERS = ["-1", "1.5", "1e3", "%20", "", "abc", "9007199254740992", "9".repeat(100)];
const refusal = (code: string) => ({ status: 400, type: "application/json", code, retryAfter: undefined });

test("POST /stock/item/create/{price} answers the id of an item with that price and nothing in stock", async () => {
  const answer = await shop.post("/stock/item/create/5");
  expect(answer).toMatchObject({
    status: 200,
    type: "application/json",
    json: { item_id: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/) },
  });
  const { item_id } = answer.json as { item_id: string };
  const found = await shop.get(`/stock/find/${item_id}`);
  expect(found).toMatchObject({ status: 200, type: "application/json", json: { stock: 0, price: 5 } });
  expect(Object.keys(found.json as object)).toEqual(["stock", "price"]);
});

test.each([0, MAX])("a price may be %d", async (price) => {
  const id = await newItem(shop, { stock: 0, price });
  expect((await shop.get(`/stock/find/${id}`)).json).toEqual({ stock: 0, price });
});

test("adding and subtracting answer the new stock as text", async () => {
  const id = await newItem(shop, { stock: 0, price: 1 });
  expect(await shop.post(`/stock/add/${id}/7`)).toMatchObject({ status: 200, type: TEXT, body: "7" });
  expect(await shop.post(`/stock/subtract/${id}/3`)).toMatchObject({ status: 200, type: TEXT, body: "4" });
  expect(await shop.post(`/stock/subtract/${id}/4`)).toMatchObject({ status: 200, body: "0" });
});

test("more than is there cannot be subtracted, and nothing changes", async () => {
  const id = await newItem(shop, { stock: 4, price: 1 });
  expect(await shop.post(`/stock/subtract/${id}/5`)).toMatchObject(refusal("insufficient_stock"));
  expect(await stockOf(shop, id)).toBe(4);
});

test("stock goes up to 2^53-1 and not beyond", async () => {
  const id = await newItem(shop, { stock: 1, price: 1 });
  expect(await shop.post(`/stock/add/${id}/${MAX}`)).toMatchObject(refusal("amount_out_of_range"));
  expect(await shop.post(`/stock/add/${id}/${MAX - 1}`)).toMatchObject({ status: 200, body: String(MAX) });
  expect(await shop.post(`/stock/add/${id}/1`)).toMatchObject(refusal("amount_out_of_range"));
  expect(await shop.post(`/stock/subtract/${id}/${MAX}`)).toMatchObject({ status: 200, body: "0" });
});

describe.each(["add", "subtract"])("POST /stock/%s", (operation) => {
  test.each(NO_NUMBERS)("refuses the amount %j", async (amount) => {
    const id = await newItem(shop, { stock: 9, price: 1 });
    expect(await shop.post(`/stock/${operation}/${id}/${amount}`)).toMatchObject(refusal("invalid_number"));
    expect(await stockOf(shop, id)).toBe(9);
  });

  test("refuses an item that is not there, and one that cannot be", async () => {
    expect(await shop.post(`/stock/${operation}/nowhere/1`)).toMatchObject(refusal("unknown_item"));
    expect(await shop.post(`/stock/${operation}/no.where/1`)).toMatchObject(refusal("invalid_id"));
    expect(await shop.post(`/stock/${operation}/${"x".repeat(65)}/1`)).toMatchObject(refusal("invalid_id"));
  });

  test("counts each of many at the same time", async () => {
    const id = await newItem(shop, { stock: 500, price: 1 });
    await Promise.all(Array.from({ length: 100 }, () => shop.post(`/stock/${operation}/${id}/3`)));
    expect(await stockOf(shop, id)).toBe(operation === "add" ? 800 : 200);
  });
});

test("of many that subtract at the same time, as many succeed as there is stock for", async () => {
  const id = await newItem(shop, { stock: 10, price: 1 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => shop.post(`/stock/subtract/${id}/1`)));
  expect(answers.filter(({ status }) => status === 200).length).toBe(10);
  expect(new Set(answers.filter(({ status }) => status !== 200).map(({ code }) => code))).toEqual(
    new Set(["insufficient_stock"]),
  );
  expect(await stockOf(shop, id)).toBe(0);
});

test.each(NO_NUMBERS)("the price %j is refused", async (price) => {
  expect(await shop.post(`/stock/item/create/${price}`)).toMatchObject(refusal("invalid_number"));
});

test("finding refuses an item that is not there, and one that cannot be", async () => {
  expect(await shop.get("/stock/find/nowhere")).toMatchObject(refusal("unknown_item"));
  expect(await shop.get("/stock/find/a%3Ab")).toMatchObject(refusal("invalid_id"));
});

describe("POST /stock/batch_init", () => {
  test("makes items 0 to n-1, in chunks, over what was there", async () => {
    expect(await shop.post("/stock/batch_init/2/1/1")).toMatchObject({
      status: 200,
      type: "application/json",
      json: { msg: expect.any(String) },
    });
    expect((await shop.post("/stock/batch_init/2500/7/3")).status).toBe(200);
    for (const id of [0, 999, 1_000, 2_499])
      expect((await shop.get(`/stock/find/${id}`)).json).toEqual({ stock: 7, price: 3 });
    expect((await shop.get("/stock/find/2500")).code).toBe("unknown_item");
    expect((await shop.post("/stock/batch_init/1/0/0")).status).toBe(200);
    expect((await shop.get("/stock/find/0")).json).toEqual({ stock: 0, price: 0 });
    expect((await shop.get("/stock/find/1")).json).toEqual({ stock: 7, price: 3 });
  });

  test("writes one line of the log for each chunk of at most 1,000 rows", async () => {
    const { readdir, readFile } = await import("node:fs/promises");
    await shop.post("/stock/batch_init/2500/11/3");
    const files = (await readdir(`${shop.folder}/log/stock`, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    );
    const lines = (await Promise.all(files.map(({ parentPath, name }) => readFile(`${parentPath}/${name}`, "utf8"))))
      .join("\n")
      .split("\n");
    const sizes = lines
      .filter((line) => line.includes(`"stock":11,"price":3`))
      .map((line) => Object.keys((JSON.parse(line) as { set: object }).set).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_500);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  });

  test("ends within its invocation's time, with whole chunks of it made", async () => {
    const started = Date.now();
    const answer = await shop.post("/stock/batch_init/1000000/5/5", { time: 1_500 });
    expect(Date.now() - started).toBeLessThan(1_500);
    expect([503, 504]).toContain(answer.status);
    // What was on its way at the end.
    await sleep(200);
    const made = (await shop.keys("stock")).length;
    expect(made).toBeGreaterThan(500);
    await sleep(300);
    expect((await shop.keys("stock")).length).toBe(made);
  });

  test.each(["0/1/1", "1000001/1/1", "1.5/1/1", "1/-1/1", "1/1/-1", `1/1/${2 ** 53}`])(
    "refuses %s",
    async (parameters) => {
      expect(await shop.post(`/stock/batch_init/${parameters}`)).toMatchObject(refusal("invalid_number"));
    },
  );
});

describe("the steps of a saga", () => {
  let count = 0;
  const step = () => ({ saga: `routes-${++count}`, startedAt: Date.now() });

  test("reserve takes, release gives back; both answer the same again", async () => {
    const id = await newItem(shop, { stock: 5, price: 1 });
    const saga = step();
    const body = { ...saga, lines: [[id, 2]] };
    for (let i = 0; i < 2; i++)
      expect(await shop.signed("/stock/reserve", body)).toMatchObject({ status: 200, json: { done: true } });
    expect(await stockOf(shop, id)).toBe(3);
    for (let i = 0; i < 2; i++)
      expect(await shop.signed("/stock/release", saga)).toMatchObject({ status: 200, json: { done: true } });
    expect(await stockOf(shop, id)).toBe(5);
    expect(await shop.signed("/stock/reserve", body)).toMatchObject(refusal("step_compensated"));
    expect(await stockOf(shop, id)).toBe(5);
  });

  test("a refused reserve is refused again, also once there is enough", async () => {
    const id = await newItem(shop, { stock: 1, price: 1 });
    const body = { ...step(), lines: [[id, 2]] };
    const first = await shop.signed("/stock/reserve", body);
    expect(first).toMatchObject(refusal("insufficient_stock"));
    await shop.post(`/stock/add/${id}/5`);
    expect(await shop.signed("/stock/reserve", body)).toEqual(first);
    expect(await stockOf(shop, id)).toBe(6);
  });

  test("what is reserved leaves room to come back: adding is refused before a release could overflow", async () => {
    const id = await newItem(shop, { stock: MAX, price: 1 });
    const saga = step();
    await shop.signed("/stock/reserve", { ...saga, lines: [[id, 10]] });
    expect(await shop.post(`/stock/add/${id}/1`)).toMatchObject(refusal("amount_out_of_range"));
    expect((await shop.signed("/stock/release", saga)).status).toBe(200);
    expect(await stockOf(shop, id)).toBe(MAX);
  });

  test("the same reserve 20 times at once takes once", async () => {
    const id = await newItem(shop, { stock: 100, price: 1 });
    const body = { ...step(), lines: [[id, 2]] };
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.signed("/stock/reserve", body)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await stockOf(shop, id)).toBe(98);
  });

  test.each([
    ["not JSON", "{", "invalid_body"],
    ["nothing", "", "invalid_body"],
    ["an array", "[]", "invalid_body"],
    ["no saga", JSON.stringify({ startedAt: 1, lines: [["a", 1]] }), "invalid_body"],
    ["a saga that is no id", JSON.stringify({ saga: "a b", startedAt: 1, lines: [["a", 1]] }), "invalid_id"],
    ["no lines", JSON.stringify({ saga: "a", startedAt: 1, lines: [] }), "invalid_body"],
    ["a quantity of 0", JSON.stringify({ saga: "a", startedAt: 1, lines: [["a", 0]] }), "invalid_body"],
    ["a quantity of 1.5", JSON.stringify({ saga: "a", startedAt: 1, lines: [["a", 1.5]] }), "invalid_body"],
    ["a quantity as text", JSON.stringify({ saga: "a", startedAt: 1, lines: [["a", "1"]] }), "invalid_body"],
    ["an item that is no id", JSON.stringify({ saga: "a", startedAt: 1, lines: [["a:b", 1]] }), "invalid_id"],
    ["no start", JSON.stringify({ saga: "a", lines: [["a", 1]] }), "invalid_body"],
  ])("a body that is %s is refused", async (_what, body, code) => {
    expect(await shop.signed("/stock/reserve", body)).toMatchObject(refusal(code));
  });

  test("a step's parameters have their place in what a refusal says", async () => {
    const { body } = await shop.signed("/stock/reserve", {
      saga: "a",
      startedAt: 1,
      lines: [
        ["a", 1],
        ["b", 0],
      ],
    });
    expect(body).toContain("lines.1.1");
  });
});

describe.each(["/stock/reserve", "/stock/release", "/stock/forget"])("POST %s without a good signature", (path) => {
  const body = JSON.stringify({ saga: "unsigned", sagas: ["unsigned"], startedAt: Date.now(), lines: [["0", 1]] });
  test("is forbidden, and nothing is done", async () => {
    const answers = await Promise.all([
      shop.post(path, { body }),
      shop.post(path, { body, headers: { "x-shop-signature": "" } }),
      shop.post(path, { body, headers: { "x-shop-signature": `t=${Date.now()},v1=${"0".repeat(64)}` } }),
    ]);
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 403, type: "application/json", code: "forbidden" });
    expect(await shop.row("stock", "reservation:unsigned")).toBeNull();
  });

  test("and one whose signature has expired may be sent again: 503, never a refusal of the step", async () => {
    expect(await shop.signed(path, body, { age: 30_500 })).toMatchObject({
      status: 503,
      code: "signature_expired",
      retryAfter: "1",
    });
    expect(await shop.signed(path, body, { age: -30_500 })).toMatchObject({ status: 503, code: "signature_expired" });
    expect(await shop.row("stock", "reservation:unsigned")).toBeNull();
  });
});
