/** `npm run demo -- --console`: a shop of its own with customers in it, and a page on which it can be broken. */
import { randomBytes } from "node:crypto";
import { paint, print } from "log-replay/cli";
import { Console } from "../../console/server/console.ts";
import { localFaults } from "../../console/server/faults/local-faults.ts";
import { listen } from "../../console/server/listen.ts";
import { openSource } from "../../console/server/source.ts";
import { ShopProbe } from "../../console/server/shop-probe.ts";
import { ShopView } from "../../console/server/shop-view.ts";
import type { RunningShop } from "../../host/running-shop.ts";
import { keepBuying } from "./market.ts";

const CUSTOMERS = 4;

/** Resolves when the signal has ended it. The console is in this process: it outlives what is killed. */
export async function showConsole(shop: RunningShop, port: number, signal: AbortSignal): Promise<void> {
  const view = new ShopView(await openSource(), new ShopProbe(shop.url));
  const token = randomBytes(24).toString("base64url");
  const made = new Console({ view, token, actions: localFaults(shop.dataFolder, view.happenings) });
  const listening = await listen(made, "127.0.0.1", port);
  view.start();
  await print(
    `${paint("bold", `http://127.0.0.1:${listening.port}/console/break`)}   break it, and watch it come back; Ctrl-C ends it`,
  );
  try {
    await keepBuying({ url: shop.url, customers: CUSTOMERS, signal });
  } finally {
    listening.close();
    await view.close();
  }
}
