/**
 * What a long log costs the console: how long until it is indexed, what the index takes, and how long each page then is.
 *
 *   npm run bench:console [-- RECORDS]
 */
import { performance } from "node:perf_hooks";
import { hasBrowser, launch, openPage } from "./browser.ts";
import { MadeShop, SERVICES } from "./logs.ts";
import { caughtUp, openConsole } from "./opened.ts";

const wanted = Number(process.argv[2] ?? 1_000_000);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const shop = await MadeShop.create();
const records = (): number => SERVICES.reduce((sum, service) => sum + shop.logs[service].n, 0);
while (records() < wanted) {
  for (let i = 0; i < 100; i++) shop.checkout();
  await shop.flush();
}
say(`${records().toLocaleString("en")} records, ${shop.checkouts.length.toLocaleString("en")} checkouts`);

const cpu = (): number => process.cpuUsage().user + process.cpuUsage().system;
const before = { memory: process.memoryUsage().rss, cpu: cpu() };
const opened = await openConsole(shop);
const began = performance.now();
await caughtUp(opened.view, shop, 600_000);
const now = await opened.get<{ memory: number }>("now");
say(
  `indexed in ${((performance.now() - began) / 1_000).toFixed(1)} s (${((cpu() - before.cpu) / 1e6).toFixed(1)} s of CPU)`,
);
say(
  `index ${(now.memory / 1e6).toFixed(0)} MB, process ${((process.memoryUsage().rss - before.memory) / 1e6).toFixed(0)} MB more`,
);

const half = Math.floor(shop.logs.order.n / 2);
const pages = {
  now: "now",
  "log, newest": "log?count=100",
  "log, from the middle": `log?from=${Math.floor(wanted / 2)}&count=100`,
  "log of one operation": "log?op=saga_closed&from=1000&count=100",
  "log of one key": "log?key=item:7&from=100&count=100",
  "log of one checkout": `log?saga=${shop.checkouts[1_000]?.id}&count=100`,
  "a record": `record/order/${half}`,
  "checkouts, newest": "sagas?count=100",
  "checkouts, slowest": "sagas?sort=slowest&from=5000&count=100",
  "checkouts, taken over": "sagas?state=taken-over&count=100",
  "a checkout's story": `saga/${shop.checkouts[2_000]?.id}`,
  "state in the middle": `state/stock?at=${Math.floor(shop.logs.stock.n / 2)}&prefix=item:`,
  "a key's history": "key/stock?key=item:3",
};
for (const [name, path] of Object.entries(pages)) {
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    await opened.get(path);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  say(`${name.padEnd(22)} half within ${(times[7] ?? 0).toFixed(1)} ms, all within ${(times[14] ?? 0).toFixed(1)} ms`);
}
const start = performance.now();
for (let left = 1; left > 0;) ({ left } = await opened.get<{ left: number }>("log?text=too%20little&count=100"));
say(
  `a text, in all lines    ${((performance.now() - start) / 1_000).toFixed(1)} s, and found ones are shown meanwhile`,
);
if (hasBrowser) await inBrowser();
await opened.close();
shop.remove();

/** What somebody sees: until a page has its content, and the longest that it answers to nobody while it is scrolled. */
async function inBrowser(): Promise<void> {
  const browser = await launch();
  const { page } = await openPage(browser);
  // Each task that keeps the page from answering for longer than 50 ms, as browsers report it.
  await page.addInitScript(
    "window.longest = 0; new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration); }).observe({ type: 'longtask', buffered: true });",
  );
  const looked = async (name: string, path: string, content: string, act?: () => Promise<void>): Promise<void> => {
    const from = performance.now();
    await page.goto(opened.url + path);
    await page.getByText(content).filter({ visible: true }).first().waitFor();
    const shown = performance.now() - from;
    await act?.();
    const longest = await page.evaluate<number>("window.longest");
    say(
      `${name.padEnd(22)} seen after ${shown.toFixed(0)} ms, longest task ${longest === 0 ? "under 50" : longest.toFixed(0)} ms`,
    );
  };
  const scroll = async (): Promise<void> => {
    await page.getByRole("grid").focus();
    for (const key of ["PageDown", "PageDown", "PageDown", "End", "PageUp", "Home"]) {
      await page.keyboard.press(key);
      // Until what is there now is no placeholder.
      await page.getByRole("gridcell").filter({ visible: true }).nth(20).waitFor();
    }
    await page.mouse.move(600, 500);
    for (let i = 0; i < 20; i++) await page.mouse.wheel(0, 4_000);
  };
  say("in the browser:");
  await looked("now", "", "checkouts/s");
  await looked("checkouts, scrolled", "sagas", "paid", scroll);
  await looked("the slowest ones", "sagas?sort=slowest", "aborted", scroll);
  await looked("log, scrolled", "log", "saga paid", scroll);
  await looked("a checkout", `sagas/${shop.checkouts[2_000]?.id}`, "charge");
  await looked("state, by the slider", "state?service=stock&prefix=item:&key=item:3", "item:3", async () => {
    await page.getByRole("slider").focus();
    for (const key of ["Home", "PageUp", "PageUp", "End"]) await page.keyboard.press(key);
    await page.locator(".present").getByText("stock").waitFor();
  });
  await looked("audit", "audit", "Conservation");
  await browser.close();
}
