/**
 * What the shop stands on fails under a running sale: a Redis hangs, is slow, or takes no write; the log's disk is
 * full, gone or read-only; the clock jumps; a service answers too late. Nothing that was answered is lost, every answer
 * is 200, a refusal or "not now", and the request log says what it was.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { renameSync } from "node:fs";
import { LeanShop } from "./crash/support/lean-shop.ts";
import { until } from "./support/cluster.ts";
import { errorCode, type Answer } from "./support/http.ts";
import { violations } from "./support/invariants.ts";
import { withRedis } from "./support/live-state.ts";
import { Load, openMarket } from "./support/market.ts";

const MINUTES = 60_000;

let shop: LeanShop;
beforeAll(async () => (shop = await LeanShop.start({ ownDisk: true })), MINUTES);
afterAll(() => shop.stop(), MINUTES);

/**
 * Sells while `fault` lasts. Afterwards everything has to be true. @returns the codes of the errors that were answered
 */
async function saleDuring(fault: (load: Load) => Promise<void>): Promise<Set<string>> {
  const market = await openMarket(shop.client, { orders: 30, stock: 20 });
  const load = new Load(shop.client, market, { customers: 8 });
  try {
    await load.reached(0.2);
    await fault(load);
  } finally {
    await shop.heal();
    await load.sold;
    await load.answered(20);
    await load.stop();
  }
  const problems = await violations(shop, shop.client, market, load.history.attempts);
  const bugs = shop.log().filter((line) => line["status"] === 500);
  expect([...problems, ...bugs]).toEqual([]);
  return new Set(
    load.history.attempts.flatMap(({ answer }) =>
      answer !== null && answer.status !== 200 ? [errorCode(answer)] : [],
    ),
  );
}

/** Asks until the answer is no success. */
async function refusal(path: string): Promise<Answer> {
  let answer: Answer | undefined;
  await until(`${path} is refused`, async () => (answer = await shop.client.post(path)).status >= 500);
  return answer!;
}

/** The codes of checkouts that were undone, or were still being undone when their answer was due. */
const rollbacks = (codes: ReadonlySet<string>): string[] =>
  [...codes].filter((code) => code === "checkout_aborted" || code === "checkout_pending");

/** The line may come after the answer that it is about. */
async function untilLogged(service: string, error: RegExp): Promise<void> {
  await until(`${service} logs ${error.source}`, () => {
    const lines = shop.log().filter((line) => line["service"] === service && Number(line["status"]) >= 500);
    return lines.some(({ error: text }) => error.test(String(text)));
  });
}

test(
  "a Redis that hangs: its service answers 503 or 504, the others go on, and the log names the time that ran out",
  async () => {
    const codes = await saleDuring(async () => {
      shop.redis("payment").pause();
      expect([503, 504]).toContain((await refusal("/payment/create_user")).status);
      expect((await shop.client.post("/stock/item/create/5")).status).toBe(200);
      shop.redis("payment").resume();
    });
    expect(rollbacks(codes)).not.toEqual([]);
    await untilLogged("payment", /did not answer within 2000 ms|no word of the transaction's outcome/);
  },
  3 * MINUTES,
);

test(
  "a Redis that is slow: the same answers, later",
  async () => {
    const codes = await saleDuring(async (load) => {
      for (let times = 0; times < 5; times++) {
        await withRedis(shop.redisUrl("stock"), (redis) => redis.call("CLIENT", "PAUSE", "150", "ALL"));
        await load.answered(5);
      }
    });
    // A checkout that got too late for it is rolled back; all else is answered.
    expect([...codes].filter((code) => code !== "insufficient_stock" && !rollbacks(codes).includes(code))).toEqual([]);
  },
  3 * MINUTES,
);

test(
  "a Redis that refuses writes: 503 to be retried, nothing was changed, and the log has its own words",
  async () => {
    await saleDuring(async () => {
      await withRedis(shop.redisUrl("stock"), (redis) => redis.config("SET", "maxmemory", "1"));
      const answer = await refusal("/stock/item/create/5");
      expect([answer.status, errorCode(answer), answer.retryAfter]).toEqual([503, "server_refused", "1"]);
      await withRedis(shop.redisUrl("stock"), (redis) => redis.config("SET", "maxmemory", "0"));
    });
    await untilLogged("stock", /OOM command not allowed/);
  },
  3 * MINUTES,
);

test(
  "a full disk: nothing is answered that the log does not have; it goes on when there is space",
  async () => {
    await saleDuring(async () => {
      if (shop.disk?.canBeFull === true) shop.disk.fill();
      else
        await shop.arm(
          ["append.before", "begin.before"].map((point) => ({
            point: point as "append.before",
            action: "ENOSPC",
            nth: 0,
          })),
        );
      expect([503, 504]).toContain((await refusal("/payment/create_user")).status);
      shop.disk?.free();
    });
    await untilLogged("payment", /ENOSPC|no word of the transaction's outcome/);
  },
  3 * MINUTES,
);

test(
  "a log folder that vanishes: 503 or 504, nothing is made in its place; it goes on when it is back",
  async () => {
    const folder = shop.logFolder("stock");
    await saleDuring(async () => {
      renameSync(folder, `${folder}.away`);
      try {
        expect([503, 504]).toContain((await refusal("/stock/item/create/5")).status);
      } finally {
        renameSync(`${folder}.away`, folder);
      }
    });
    await untilLogged("stock", /is gone from|ENOENT|no word of the transaction's outcome/);
  },
  3 * MINUTES,
);

test(
  "a log folder that is read-only at the start: 503, and the log says so; it goes on once it can be written to",
  async () => {
    if (shop.disk?.canBeFull !== true) return; // needs a file system of its own
    const market = await openMarket(shop.client, { orders: 1, stock: 1 });
    await shop.restartAll(() => shop.disk?.setReadOnly(true));
    try {
      const answer = await refusal("/stock/item/create/5");
      expect([answer.status, errorCode(answer)]).toEqual([503, "log_unavailable"]);
      await untilLogged("stock", /EROFS/);
    } finally {
      await shop.restartAll(() => shop.disk?.setReadOnly(false));
    }
    expect(await violations(shop, shop.client, market, [])).toEqual([]);
  },
  3 * MINUTES,
);

test.each([
  ["forward by ten minutes", 600_000],
  ["back by ten minutes", -600_000],
])(
  "a clock that jumps %s: checkouts may be rolled back for it, and nothing else",
  async (_name, ahead) => {
    await saleDuring(async (load) => {
      for (const host of shop.hosts) host.setClock(ahead);
      await load.answered(40);
    });
  },
  3 * MINUTES,
);

test(
  "a clock that is wrong on one host: what it signs is refused as too old, its checkouts are rolled back",
  async () => {
    const codes = await saleDuring(async (load) => {
      shop.hosts[0]!.setClock(600_000);
      await load.givenUp();
    });
    expect(rollbacks(codes)).not.toEqual([]);
  },
  3 * MINUTES,
);

test(
  "a service that answers after the checkout's time: 503, and what it did is undone",
  async () => {
    const codes = await saleDuring(async (load) => {
      // The steps of the first host's checkouts are the second one's.
      await shop.hosts[1]!.arm([{ point: "answer.before", action: "delay", nth: 0, ms: 1_200 }]);
      await load.givenUp();
    });
    expect(rollbacks(codes)).not.toEqual([]);
    expect(
      shop.log().filter((line) => line["status"] === 503 && String(line["path"]).startsWith("/orders/checkout/")),
    ).not.toEqual([]);
  },
  3 * MINUTES,
);
