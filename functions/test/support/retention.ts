import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "../../settings/services.ts";
import type { Shop } from "./shop.ts";

const TRANSIENT = /^(claim|saga|reservation|charge|idempotency):/;

/** The keys of all services that are there for a while only. */
export async function leftovers(shop: Shop): Promise<string[]> {
  return (await Promise.all(SERVICES.map((name) => shop.keys(name)))).flat().filter((key) => TRANSIENT.test(key));
}

/** Runs every scheduled deletion with a retention of next to nothing. @returns what order's came to */
export async function expireAll(shop: Shop): Promise<Record<string, number>> {
  await sleep(5);
  shop.set({ RETENTION_MS: 1 });
  const order = await shop.run("order/maintain");
  for (const service of ["stock", "payment"] as const) await shop.run(`${service}/maintain`);
  shop.set({ RETENTION_MS: 86_400_000 });
  return order;
}
