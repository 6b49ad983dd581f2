/**
 * What a long log costs the console: how long until it is indexed, what the index takes, and how long each page then is.
 *
 *   npm run bench:console [-- RECORDS]
 */
import { performance } from "node:perf_hooks";
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
await caughtUp(opened.view, shop).catch(() => caughtUp(opened.view, shop).catch(() => caughtUp(opened.view, shop)));
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
await opened.close();
shop.remove();
