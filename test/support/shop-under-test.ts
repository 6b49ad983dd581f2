/**
 * The shop that the HTTP suite asks: one of its own, or the one that SHOP_DEPLOYED names by its base URL. SHOP_DATA_DIR is
 * the data folder of one that `npm run test:local` has deployed: its Redis servers run on this machine.
 */
import type { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startShop, type Shop, type ShopOptions } from "../../host/test/support/shop.ts";

const { SHOP_DEPLOYED: url, SHOP_DATA_DIR: dataDir } = process.env;

/** A deployed shop is not asked for what only a shop on this machine's files has. */
export const DEPLOYED = url !== undefined;
/** Whether its Redis servers run on this machine, where a test can stop them. */
export const OWN_REDIS = url === undefined || dataDir !== undefined;

export async function shopUnderTest(options: ShopOptions): Promise<Shop> {
  return url === undefined ? startShop(options) : deployedShop(url, dataDir ?? "");
}

/** @param folder of the supervisor that has deployed it; empty where that runs elsewhere */
export function deployedShop(baseUrl: string, folder: string): Shop {
  const pid = (name: string): number => Number(readFileSync(join(folder, "run", `${name}.pid`), "utf8"));
  const only = (): never => {
    throw new Error("this is of a shop on this machine, not of one that is deployed");
  };
  return {
    url: baseUrl,
    httpPort: Number(new URL(baseUrl).port),
    dataDir: folder,
    get supervisor(): ReturnType<typeof spawn> {
      return only();
    },
    pid,
    kill(name) {
      const killed = pid(name);
      process.kill(killed, "SIGKILL");
      return killed;
    },
    redisUrl: (service) => readFileSync(join(folder, "run", `redis-${service}.url`), "utf8").trim(),
    stdout: only,
    stderr: only,
    addHost: only,
    // Whoever has deployed it removes it.
    stop: async () => 0,
  };
}
