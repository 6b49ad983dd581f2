/** Checkouts by events on the host of `npm run serve`: what happens to queues, and what an operator sees of them. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { SqsClient } from "../functions/events/sqs-client.ts";
import { startShop, type Shop } from "../host/test/support/shop.ts";
import { until } from "./support/cluster.ts";
import { Client } from "./support/http.ts";
import { violations } from "./support/invariants.ts";
import { withRedis } from "./support/live-state.ts";
import { eachOf, Load, openMarket } from "./support/market.ts";

const MINUTES = 60_000;
const ROOT = join(import.meta.dirname, "..");

let shop: Shop;
let client: Client;

beforeAll(async () => {
  shop = await startShop({ environment: { LOG_LEVEL: "error", RESEND_MS: "500" } });
  client = new Client([shop.url]);
}, 2 * MINUTES);

afterAll(async () => {
  await client.close();
  await shop.stop();
}, MINUTES);

async function shoplog(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "tools", "shoplog.mjs"), ...args], {
    cwd: ROOT,
    env: { ...process.env, DATA_DIR: shop.dataDir, NODE_OPTIONS: "" },
  });
  return stdout;
}

const isPaid = async (path: string): Promise<boolean> => (await client.get(path)).body.includes('"state":"paid"');

test(
  "the queue server is killed with all that it holds, three times under load: nothing is lost, and every checkout is settled",
  async () => {
    const market = await openMarket(client, { orders: 150, stock: 60 });
    const load = new Load(client, market);
    for (const share of [0.2, 0.5, 0.8]) {
      await load.reached(share);
      shop.kill("queues");
    }
    await load.stop();
    expect(await violations(shop, client, market, load.history.attempts)).toEqual([]);
  },
  5 * MINUTES,
);

test(
  "payment's Redis hangs for 12 s: checkouts are answered 202, none is refused, and all are paid once it goes on",
  async () => {
    await client.insist({ method: "POST", path: "/stock/batch_init/1/1000/1" });
    await client.insist({ method: "POST", path: "/payment/batch_init/1/1000" });
    await client.insist({ method: "POST", path: "/orders/batch_init/20/1/1/1" });
    const pid = shop.pid("redis-payment");
    process.kill(pid, "SIGSTOP");
    const paths = Array.from({ length: 20 }, (_, i) => `/orders/checkout/${i}`);
    const answers = Promise.all(paths.map((path) => fetch(shop.url + path, { method: "POST" })));
    setTimeout(() => process.kill(pid, "SIGCONT"), 12_000);
    for (const [i, { status, headers }] of (await answers).entries())
      expect([status, headers.get("location"), headers.get("retry-after")]).toEqual([202, paths[i], "1"]);
    for (const path of paths) await until(`${path} is paid`, () => isPaid(path));
  },
  5 * MINUTES,
);

test(
  "payment's function fails for 30 s: checkouts wait, none is refused or rolled back, and all are paid soon after",
  async () => {
    for (const path of ["/stock/batch_init/1/1000/1", "/payment/batch_init/1/1000", "/orders/batch_init/40/1/1/1"])
      await client.insist({ method: "POST", path });
    const limit = (bytes: number) =>
      withRedis(shop.redisUrl("payment"), (redis) => redis.config("SET", "maxmemory", bytes));
    // Each charge is refused by the server at once: the function throws, and its messages come again.
    await limit(1);
    const end = Date.now() + 30_000;
    const paths = Array.from({ length: 40 }, (_, i) => `/orders/checkout/${i}`);
    const statuses = new Set<number>();
    await eachOf(paths, paths.length, async (path) => {
      while (Date.now() < end) statuses.add((await client.post(path)).status);
    });
    expect(statuses).toEqual(new Set([202]));
    await limit(0);
    for (const path of paths) await until(`${path} is paid`, () => isPaid(path));
    expect((await shoplog("queues")).match(/no dead letters/g)).toHaveLength(3);
  },
  5 * MINUTES,
);

test(
  "a poison message ends in the dead-letter queue, is shown, and is redriven",
  async () => {
    const endpoint = readFileSync(join(shop.dataDir, "run", "queues.url"), "utf8").trim();
    const sqs = new SqsClient({ endpoint, region: "us-east-1" });
    // Signed, and of a kind that nobody knows.
    const { sign } = await import("../functions/calls/signature.ts");
    const secret = readFileSync(join(shop.dataDir, "secrets", "internal-secret"), "utf8").trim();
    const body = JSON.stringify({ type: "unheard_of", saga: "poison", startedAt: 0, order: "none" });
    const signature = sign({ method: "SEND", path: "/stock", body }, secret, Date.now());
    await sqs.call("SendMessageBatch", {
      QueueUrl: `${endpoint}/000000000000/shop-stock`,
      Entries: [{ Id: "0", MessageBody: `${signature}\n${body}` }],
    });
    sqs.close();
    await until("it is dead", async () => (await shoplog("queues")).includes("1 dead letter"));
    expect(await shoplog("queues")).toContain("unheard_of");
    expect(await shoplog("redrive", "stock", "--yes")).toContain("stock: 1 message sent again");
    // It is no better than before, and comes back.
    await until("it is dead again", async () => (await shoplog("queues")).includes("1 dead letter"));
  },
  5 * MINUTES,
);
