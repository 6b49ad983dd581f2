/** The shop with several function hosts on the same Redis servers and logs. */
import { setTimeout as sleep } from "node:timers/promises";
import { startShop, type Shop, type ShopOptions } from "../../host/test/support/shop.ts";
import { Client } from "./http.ts";
import { openClaims } from "./live-state.ts";

/** Sagas of a driver that died are free after 3 s instead of 5, because the tests wait for that. */
const ENVIRONMENT = { SAGA_TIMEOUT_MS: "3000", LOG_LEVEL: "error" };

/** Milliseconds, only so that a test fails instead of hanging. */
const PATIENCE = 150_000;

export interface Cluster {
  /** The one that supervises the Redis servers and its own host. */
  readonly shop: Shop;
  /** The further hosts. */
  readonly further: Shop[];
  /** Asks the hosts in turn. */
  readonly client: Client;
  stop(): Promise<void>;
}

export async function startCluster(hosts: number, options: ShopOptions = {}): Promise<Cluster> {
  const environment = { ...ENVIRONMENT, ...options.environment };
  const shop = await startShop({ ...options, environment });
  const further: Shop[] = [];
  try {
    while (further.length < hosts - 1) further.push(await shop.addHost());
  } catch (error) {
    for (const host of further) await host.stop();
    await shop.stop();
    throw error;
  }
  const client = new Client([shop, ...further].map(({ url }) => url));
  return {
    shop,
    further,
    client,
    async stop() {
      await client.close();
      await Promise.all(further.map((host) => host.stop()));
      await shop.stop();
    },
  };
}

/** The name under which a further host keeps its pid. */
export function hostName({ httpPort }: Shop): string {
  return `host-${httpPort}`;
}

/** Sends a signal to a process of the shop, once it is there: one that was killed just now is on its way back. */
export async function signal(shop: Shop, name: string, what: NodeJS.Signals): Promise<number> {
  let pid = 0;
  await until(`${name} lives`, () => {
    pid = pidOf(shop, name);
    return pid > 0 && process.kill(pid, what);
  });
  return pid;
}

function pidOf(shop: Shop, name: string): number {
  try {
    return shop.pid(name);
  } catch {
    return 0; // not started again yet
  }
}

/** Every host answers for every service. */
export async function untilServing(shops: readonly Shop[]): Promise<void> {
  for (const { url } of shops) {
    const client = new Client([url], 1);
    try {
      for (const path of ["/stock/find/nobody", "/payment/find_user/nobody", "/orders/find/nobody"]) {
        await until(`${url}${path} is answered`, async () => (await client.get(path)).status === 400);
      }
    } finally {
      await client.close();
    }
  }
}

/**
 * No checkout is open any more, and nobody has asked for that. A Redis in which no claim is left may be one that holds older
 * data: it is believed once the order service has committed to it.
 */
export async function untilSettled(
  shop: Pick<Shop, "redisUrl">,
  client: Client,
  within: number = PATIENCE,
): Promise<void> {
  const noneOpen = async (): Promise<boolean> => (await openClaims(shop.redisUrl("order"))) === 0;
  await until(
    "every open saga is settled",
    async () => {
      if (!(await noneOpen())) return false;
      await client.insist({ method: "POST", path: "/orders/create/nobody" });
      return noneOpen();
    },
    within,
  );
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, within = PATIENCE): Promise<void> {
  const end = Date.now() + within;
  let problem: unknown;
  const attempt = async (): Promise<boolean> => {
    try {
      return await holds();
    } catch (error) {
      problem = error;
      return false;
    }
  };
  while (!(await attempt())) {
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`, { cause: problem });
    await sleep(25);
  }
}
