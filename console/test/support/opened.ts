import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Action } from "../../server/action.ts";
import { Console } from "../../server/console.ts";
import { listen } from "../../server/listen.ts";
import { ShopProbe } from "../../server/shop-probe.ts";
import { ShopView } from "../../server/shop-view.ts";
import { SERVICES, type MadeShop } from "./logs.ts";

export const TOKEN = "the token of the test";

/** A console on a shop's logs, listening. */
export interface Opened {
  readonly view: ShopView;
  readonly url: string;
  /** What a route of the API answers. @throws Error with its status and words where that is no 200 */
  readonly get: <T = Record<string, unknown>>(path: string) => Promise<T>;
  readonly close: () => Promise<void>;
}

export async function openConsole(
  shop: Pick<MadeShop, "folder" | "logs">,
  actions: Readonly<Record<string, Action>> = {},
): Promise<Opened> {
  const stores = SERVICES.map((service) => ({ service, store: shop.logs[service].store }));
  const source = { described: shop.folder, stores, runFolder: join(shop.folder, "run"), pause: 20 };
  const view = new ShopView(source, new ShopProbe(null));
  const made = new Console({ view, token: TOKEN, actions });
  const listening = await listen(made, "127.0.0.1", 0);
  view.start();
  const url = `http://127.0.0.1:${listening.port}/console/`;
  return {
    view,
    url,
    get: async (path) => {
      const response = await fetch(`${url}api/${path}`);
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as never;
    },
    close: () => {
      listening.close();
      return view.close();
    },
  };
}

/** Looks until it holds. @throws what the last look threw */
export async function eventually<T>(look: () => Promise<T> | T, patience = 10_000): Promise<T> {
  for (const last = Date.now() + patience; ; await sleep(20)) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > last) throw error;
    }
  }
}

/** Until the console has read all that was written. */
export async function caughtUp(view: ShopView, shop: Pick<MadeShop, "logs">, patience = 10_000): Promise<void> {
  await eventually(() => {
    for (const service of SERVICES) {
      const [read, written] = [view.logs.get(service)?.last, shop.logs[service].n];
      if (read !== written) throw new Error(`${service}: ${read} of ${written}`);
    }
  }, patience);
}
