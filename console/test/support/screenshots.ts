/** The pictures of the documents: a shop of its own with customers in it, one Redis of which dies. `npm run screenshots` */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort } from "../../../host/ports.ts";
import { startShop } from "../../../host/running-shop.ts";
import { keepBuying } from "../../../tools/demo/market.ts";
import { launch, openPage } from "./browser.ts";

const FOLDER = join(import.meta.dirname, "..", "..", "..", "docs", "images");

const shop = await startShop("serve", await freeHttpPort(), {
  SAGA_TIMEOUT_MS: "3000",
  LOG_LEVEL: "info",
  CONSOLE_FAULTS: "1",
});
const end = new AbortController();
const buying = keepBuying({ url: shop.url, customers: 5, signal: end.signal });
const browser = await launch();
try {
  mkdirSync(FOLDER, { recursive: true });
  const { page } = await openPage(browser, { width: 1280, dark: true });
  await page.setViewportSize({ width: 1280, height: 760 });
  const picture = async (path: string, name: string): Promise<void> => {
    await page.goto(`${shop.url}/console/${path}`);
    await page.waitForLoadState("load");
    await sleep(2_500);
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  };
  await page.goto(`${shop.url}/console/`);
  await sleep(20_000);
  process.kill(shop.pidOf("redis-stock"), "SIGKILL");
  await sleep(12_000);
  await picture("", "console-now");
  await page.goto(`${shop.url}/console/break`);
  await page.getByRole("group", { name: "Put back" }).getByRole("button", { name: "payment's Redis" }).click();
  await sleep(8_000);
  await page.screenshot({ path: join(FOLDER, "console-break.png") });
  const asked = await fetch(`${shop.url}/console/api/sagas?state=refused&count=1`);
  const { rows } = (await asked.json()) as { rows: { id: string }[] };
  await picture(`sagas/${rows[0]?.id ?? ""}`, "console-checkout");
} finally {
  end.abort();
  await buying;
  await browser.close();
  await shop.stop();
  shop.removeData();
}
