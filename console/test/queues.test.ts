/** The console of a shop whose checkouts go by events. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sign } from "../../functions/calls/signature.ts";
import { SqsClient } from "../../functions/events/sqs-client.ts";
import { freeHttpPort } from "../../host/ports.ts";
import { startShop, type RunningShop } from "../../host/running-shop.ts";
import type { Now } from "../server/shop-view.ts";
import type { Story } from "../server/story.ts";
import { hasBrowser, launch, openPage } from "./support/browser.ts";
import { eventually } from "./support/opened.ts";

const PATIENCE = 30_000;
let shop: RunningShop;

beforeAll(async () => {
  shop = await startShop("serve", await freeHttpPort(3), { SAGA: "events" });
}, 60_000);
afterAll(async () => {
  await shop.stop();
  shop.removeData();
});

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${shop.url}/console/api/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

const post = async (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(shop.url + path, { method: "POST", ...init });

const token = (): string => readFileSync(join(shop.dataFolder, "secrets", "console-token"), "utf8").trim();

/** What the console says of stock's queue. */
async function queue(): Promise<NonNullable<Now["queues"]>[number]> {
  await get("happenings"); // To answer this the console looks at the shop.
  const found = (await get<Now>("now")).queues?.find(({ service }) => service === "stock");
  if (found === undefined) throw new Error("there is no queue of stock");
  return found;
}

test("a checkout's waterfall has its messages, how long each was in its queue, and the commit under it", async () => {
  for (const path of ["/stock/batch_init/2/100/5", "/payment/batch_init/1/100", "/orders/batch_init/1/2/1/5"])
    expect((await post(path)).status).toBe(200);
  expect((await post("/orders/checkout/0")).status).toBe(200);
  const { rows } = await eventually(async () => {
    const page = await get<{ rows: { id: string }[] }>("sagas?state=paid");
    expect(page.rows).toHaveLength(1);
    return page;
  });
  const { bars } = await eventually(async () => {
    const story = await get<Story>(`saga/${rows[0]?.id}`);
    expect(story.bars.map(({ name }) => name)).toEqual(["checkout", "reserve", "charge", "saga_paid"]);
    return story;
  });
  const [checkout, ...messages] = bars;
  expect(checkout?.sent).toBeNull();
  for (const { sent, from, commit } of messages) {
    expect(sent).toBeLessThanOrEqual(from);
    expect(from - (sent ?? 0)).toBeLessThan(PATIENCE);
    expect(commit).not.toBeNull();
  }
});

test("what waits is counted, what could not be handled is shown, and is redriven by who has the token", async () => {
  const endpoint = readFileSync(join(shop.dataFolder, "run", "queues.url"), "utf8").trim();
  const secret = readFileSync(join(shop.dataFolder, "secrets", "internal-secret"), "utf8").trim();
  const body = JSON.stringify({ type: "unheard_of", saga: "poison", startedAt: 0, order: "none" });
  const sqs = new SqsClient({ endpoint, region: "us-east-1" });
  await sqs.call("SendMessageBatch", {
    QueueUrl: `${endpoint}/000000000000/shop-stock`,
    Entries: [
      { Id: "0", MessageBody: `${sign({ method: "SEND", path: "/stock", body }, secret, Date.now())}\n${body}` },
    ],
  });
  sqs.close();
  await eventually(async () => expect((await queue()).dead).toBe(1), PATIENCE);
  const [letter] = await get<{ text: string; receives: number }[]>("dead-letters/stock");
  expect(letter?.text).toBe(body);
  expect((await post("/console/do/redrive", { body: "stock" })).status).toBe(401);
  const headers = { authorization: `Bearer ${token()}` };
  expect((await post("/console/do/redrive", { body: "nobody", headers })).status).toBe(500);
  const answer = await post("/console/do/redrive", { body: "stock", headers });
  expect(await answer.json()).toEqual({ done: "1 message was sent to stock again" });
  // It is no better than before, and comes back.
  await eventually(async () => expect((await queue()).dead).toBe(1), PATIENCE);
}, 60_000);

(hasBrowser ? test : test.skip)(
  "the page has the queues, and asks for the token before it redrives",
  async () => {
    const browser = await launch();
    try {
      const { page } = await openPage(browser);
      await page.goto(`${shop.url}/console/`);
      await page.getByRole("button", { name: "Show" }).click();
      await page.getByText("unheard_of").waitFor();
      await page.getByRole("button", { name: "Redrive" }).click();
      await page.getByRole("textbox", { name: "Token" }).fill(token());
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("1 message was sent to stock again").waitFor();
    } finally {
      await browser.close();
    }
  },
  60_000,
);
