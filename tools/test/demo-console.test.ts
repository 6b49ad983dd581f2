/** `npm run demo -- --console` as somebody shows it to others: on a terminal, in a browser, with a Redis that is killed by a button. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { hasBrowser, launch, openPage } from "../../console/test/support/browser.ts";
import { freeHttpPort } from "../../host/ports.ts";
import { HAS_TERMINALS, leftWith, Terminal } from "../../test/support/terminal.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** Milliseconds for each step. They are bounds, and nothing is expected to take as long. */
const PATIENCE = 60_000;

let folder: string;
let terminal: Terminal;
let url: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "demo-console-"));
  const port = await freeHttpPort();
  url = `http://127.0.0.1:${port}/console/break`;
  terminal = new Terminal(`npm --prefix ${ROOT} run --silent demo -- --console --port ${port}`, {
    TMPDIR: folder,
    NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "node-compile"),
    CONSOLE_FAULTS: "1",
  });
  await terminal.says(url, PATIENCE);
}, 2 * PATIENCE);
afterEach(() => {
  terminal.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Until what the page's server answers there is so. @param holds an expression on `answer` */
async function becomes(page: Page, path: string, holds: string): Promise<void> {
  await page.waitForFunction(
    `fetch("/console/api/${path}").then((response) => response.json()).then((answer) => ${holds})`,
    undefined,
    { timeout: PATIENCE, polling: 200 },
  );
}

(hasBrowser && HAS_TERMINALS ? test : test.skip)(
  "customers buy, a button kills the Redis of stock, the page tells how it came back, and all is conserved",
  async () => {
    const browser = await launch();
    try {
      const { page, troubles } = await openPage(browser);
      page.setDefaultTimeout(PATIENCE);
      await page.goto(url);
      await page.getByText(/^paid, of [1-9]/).waitFor();

      await page.getByRole("group", { name: "Kill" }).getByRole("button", { name: "stock's Redis" }).click();
      await page.getByText(/^Kill stock's Redis: kill -9 \d+ \(redis-stock\)$/).waitFor();
      await page.getByText(/^Redis of stock died, restored in [\d.]+ m?s, epoch \d+/).waitFor();

      // Customers who came after that are served, and the audit has read what came of them.
      const back = Date.now();
      await becomes(page, "sagas?state=paid&count=1", `answer.rows[0]?.startedAt > ${back}`);
      const served = Date.now();
      await becomes(page, "audit", `answer.at > ${served} && answer.result.violations.length === 0`);
      await page.getByText("conserved", { exact: true }).waitFor();
      expect(troubles).toEqual([]);
    } finally {
      await browser.close();
    }
    terminal.ctrlC();
    await terminal.ended;
    expect(readdirSync(folder)).toEqual([]);
    expect(await leftWith(folder)).toEqual([]);
  },
  6 * PATIENCE,
);
