/** How the services of one host reach each other. */
import { afterEach, expect, test } from "@jest/globals";
import { type Shop, startShop } from "./support/shop.ts";

const NOBODY = "http://127.0.0.1:9";
const running: Shop[] = [];

afterEach(async () => {
  for (const shop of running.splice(0)) await shop.stop();
}, 60_000);

async function checkout(environment: Record<string, string>): Promise<number> {
  const shop = await startShop({ environment: { LOG_LEVEL: "error", SAGA_TIMEOUT_MS: "3000", ...environment } });
  running.push(shop);
  for (const path of ["/stock/batch_init/1/9/1", "/payment/batch_init/1/9", "/orders/batch_init/1/1/1/1"]) {
    expect((await fetch(shop.url + path, { method: "POST" })).status).toBe(200);
  }
  return (await fetch(`${shop.url}/orders/checkout/0`, { method: "POST" })).status;
}

test("they are called directly: a checkout succeeds though nobody is at the gateway's address", async () => {
  expect(await checkout({ DISPATCH: "direct", GATEWAY_URL: NOBODY })).toBe(200);
}, 90_000);

test("DISPATCH=http: they are called through the gateway", async () => {
  expect(await checkout({ DISPATCH: "http" })).toBe(200);
}, 90_000);

test("a GATEWAY_URL that is given is used: where nobody is there, a checkout changes nothing and is 503", async () => {
  expect(await checkout({ GATEWAY_URL: NOBODY })).toBe(503);
}, 90_000);

test("a host with one place serves what asks another of its services through HTTP: the call has a place of its own", async () => {
  const shop = await startShop({ environment: { DISPATCH: "http", MAX_CONCURRENCY: "1" } });
  try {
    const post = async (path: string): Promise<string> => (await fetch(shop.url + path, { method: "POST" })).text();
    for (const path of ["/stock/batch_init/1/5/3", "/payment/batch_init/1/9"]) await post(path);
    const { order_id: order } = JSON.parse(await post("/orders/create/0")) as { order_id: string };
    expect(await post(`/orders/addItem/${order}/0/1`)).toBe("3");
    expect(await post(`/orders/checkout/${order}`)).toBe("paid");
  } finally {
    await shop.stop();
  }
}, 120_000);
