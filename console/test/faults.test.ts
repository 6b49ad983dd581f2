/** "Break it" on a real shop with customers in it: every button, and it all adds up each time. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort } from "../../host/ports.ts";
import { startShop, type RunningShop } from "../../host/running-shop.ts";
import { keepBuying } from "../../tools/demo/market.ts";
import type { AuditReport } from "../server/audit.ts";
import { canFillDisk } from "../server/faults/full-disk.ts";
import type { Happening } from "../server/incidents.ts";
import type { Now } from "../server/shop-view.ts";
import { eventually } from "./support/opened.ts";

const PATIENCE = 30_000;
const end = new AbortController();
let shop: RunningShop;
let buying: Promise<void>;

beforeAll(async () => {
  shop = await startShop("serve", await freeHttpPort(2), { CONSOLE_FAULTS: "1", SAGA_TIMEOUT_MS: "2000" });
  buying = keepBuying({ url: shop.url, customers: 3, signal: end.signal });
}, 60_000);
afterAll(async () => {
  end.abort();
  await buying;
  await shop.stop();
  shop.removeData();
});

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${shop.url}/console/api/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

const paid = async (): Promise<number> => {
  const { rows } = await get<{ rows: { startedAt: number }[] }>("sagas?state=paid&count=1");
  return rows[0]?.startedAt ?? 0;
};

/** What the time line tells since then, in its words. */
const told = async (since: number): Promise<string> =>
  (await get<{ happenings: Happening[] }>(`happenings?since=${since}`)).happenings.map(({ text }) => text).join("\n");

/** Presses a button. @returns when that was */
async function press(name: string): Promise<number> {
  const at = Date.now();
  const answer = fetch(`${shop.url}/console/do/${name}`, { method: "POST" });
  const { status } = await answer.catch(() => ({ status: 0 }));
  // Whoever kills the host kills whoever would answer.
  expect([200, 503, 0]).toContain(status);
  return at;
}

/** Customers are served again by checkouts that began since, nothing is open for long, and the audit has read on and is content. */
async function recovered(since: number): Promise<void> {
  await eventually(async () => expect(await paid()).toBeGreaterThan(since), PATIENCE);
  const after = Date.now();
  await eventually(async () => {
    const { result, at } = await get<AuditReport>("audit");
    expect(at).toBeGreaterThan(after);
    expect(result?.violations).toEqual([]);
    const { checkouts, conserved } = await get<Now>("now");
    expect(checkouts.stuck).toBe(0);
    expect(conserved?.violations).toBe(0);
  }, PATIENCE);
}

test.each([
  ["kill-redis-stock", /Redis of stock died, restored in [\d.]+ m?s, epoch \d+/],
  ["set-back-redis-stock", /Redis of stock did not agree with its log, restored in [\d.]+ m?s, epoch \d+/],
  ["set-back-redis-order", /Redis of order did not agree with its log, restored in [\d.]+ m?s, epoch \d+/],
  ["kill-host", /the host died, back in [\d.]+ m?s, open checkouts resumed after [\d.]+ m?s/],
  ["kill-all", /Redis of payment died, restored in [\d.]+ m?s, epoch \d+/],
] as const)(
  "%s: the time line tells what came of it, and all is conserved",
  async (button, sentence) => {
    await eventually(async () => expect(await paid()).toBeGreaterThan(0), PATIENCE);
    const at = await press(button);
    await recovered(at);
    await eventually(async () => expect(await told(at - 1)).toMatch(sentence), PATIENCE);
  },
  3 * PATIENCE,
);

(canFillDisk() ? test : test.skip)(
  "fill-disk: nobody is answered while nothing can be appended, and all is conserved afterwards",
  async () => {
    await eventually(async () => expect(await paid()).toBeGreaterThan(0), PATIENCE);
    const at = await press("fill-disk");
    const commits = async (): Promise<number[]> => (await get<Now>("now")).services.map(({ last }) => last);
    await sleep(1_000);
    const before = await commits();
    await sleep(4_000);
    expect(await commits()).toEqual(before);
    await eventually(async () => expect(await told(at - 1)).toContain("the disk has room again"), PATIENCE);
    // No process has died, so nothing has them resumed at once: the schedule would within a minute.
    const token = readFileSync(join(shop.dataFolder, "secrets", "console-token"), "utf8").trim();
    await sleep(2_000);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${shop.url}/console/do/resume`, { method: "POST", headers })).status).toBe(200);
    await recovered(Date.now());
  },
  3 * PATIENCE,
);
