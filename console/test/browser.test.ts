/** The console in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Browser, type Page } from "playwright-core";
import { accessibilityTroubles, hasBrowser, launch, openPage } from "./support/browser.ts";
import { MadeShop } from "./support/logs.ts";
import { caughtUp, openConsole, TOKEN, type Opened } from "./support/opened.ts";

let shop: MadeShop;
let opened: Opened;
let browser: Browser;
const done: string[] = [];

const whereABrowserIs = hasBrowser ? describe : describe.skip;

whereABrowserIs("the console", () => {
  beforeAll(async () => {
    shop = await MadeShop.create();
    for (let i = 0; i < 300; i++) shop.checkout();
    await shop.logs.stock.begin();
    for (let i = 0; i < 60; i++) shop.checkout();
    shop.checkout(undefined, "running");
    await shop.flush();
    opened = await openConsole(shop, {
      resume: { title: "Resume now", run: async () => `${done.push("resume")} settled` },
      hurt: { title: "Hurt it", open: true, run: async () => `${done.push("hurt")} hurt` },
    });
    await caughtUp(opened.view, shop);
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await opened.close();
    shop.remove();
  });

  const on = async (path: string, use: (page: Page) => Promise<void>, options = {}): Promise<void> => {
    const { page, troubles, asked } = await openPage(browser, options);
    try {
      await page.goto(opened.url + path);
      await use(page);
      expect(troubles).toEqual([]);
      // Nothing from anywhere else: it works without a network.
      expect([...asked]).toEqual([new URL(opened.url).origin]);
    } finally {
      await page.context().close();
    }
  };

  const PAGES = [
    ["", "conserved"],
    ["sagas", "s00000000000000000360"],
    ["sagas/s00000000000000000029", "the first one was gone"],
    ["log", "saga paid"],
    ["log/stock/12", "reservation:"],
    ["state?service=stock&prefix=item:&key=item:3", "item:3"],
    ["state?service=payment&at=200&with=100", "keys changed"],
    ["audit", "spent in checkouts"],
    ["break", "Hurt it"],
  ] as const;

  test.each(PAGES)("/%s shows %p: light, dark and narrow, and axe finds nothing serious", async (path, text) => {
    await on(path, async (page) => {
      await page.getByText(text).first().waitFor();
      expect(await accessibilityTroubles(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await accessibilityTroubles(page)).toEqual([]);
      await page.setViewportSize({ width: 390, height: 800 });
      await page.getByText(text).filter({ visible: true }).first().waitFor();
      const [needed, there] = await page.evaluate<[number, number]>(
        "[document.documentElement.scrollWidth, innerWidth]",
      );
      expect(needed).toBeLessThanOrEqual(there);
    });
  });

  test("a list has rows only where they are seen, and is read by keys alone", async () => {
    await on("", async (page) => {
      await page.getByText("conserved").waitFor();
      await page.keyboard.press("3");
      await page.getByRole("grid").waitFor();
      await page.getByRole("gridcell", { name: "saga paid" }).first().waitFor();
      expect(await page.getByRole("row").count()).toBeLessThan(80);
      await page.keyboard.press("j");
      for (let i = 0; i < 4; i++) await page.keyboard.press("j");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/console\/log\/\w+\/\d+/);
      await page.getByRole("complementary").waitFor();
      await page.keyboard.press("Escape");
      await page.waitForURL(/\/console\/log$/);
      await page.getByRole("grid").focus();
      await page.keyboard.press("End");
      // The oldest record of all is the making of the stock.
      await page.getByRole("gridcell", { name: "batch init" }).first().waitFor();
    });
  });

  test("what is chosen stands in the address, and the address is enough to see it again", async () => {
    await on("sagas", async (page) => {
      await page.getByRole("button", { name: "taken over" }).click();
      await page.getByText("12 checkouts").waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("o59");
      await page.getByText("1 checkouts").waitFor();
      const address = page.url();
      expect(address).toMatch(/state=taken-over.*text=o59/);
      await page.reload();
      await page.getByText("1 checkouts").waitFor();
      await page.getByText("s00000000000000000059").click();
      await page.getByText("the first one was gone").waitFor();
      await page.goBack();
      expect(page.url()).toBe(address);
    });
  });

  test("a bar of the waterfall leads to the log's line under it", async () => {
    await on("sagas/s00000000000000000042", async (page) => {
      await page.getByRole("button", { name: /^charge/ }).click();
      await page.getByText("charge:s00000000000000000042").waitFor();
      await page.getByText("−10").first().waitFor();
    });
  });

  test("the slider leads through every moment, and the values with it", async () => {
    await on("state?service=stock&prefix=item:&key=item:3", async (page) => {
      const present = page.locator(".present");
      await present.getByText("stock").waitFor();
      const now = await present.innerText();
      await page.getByRole("slider").focus();
      await page.keyboard.press("Home");
      await present.getByText("1,000,000,000").waitFor();
      expect(await present.innerText()).not.toBe(now);
      expect(page.url()).toMatch(/at=1\b/);
    });
  });

  test("followed, the log shows what is appended while somebody looks", async () => {
    await on("log?services=payment", async (page) => {
      await page.getByRole("gridcell").first().waitFor();
      await page.keyboard.press("f");
      const { id } = shop.checkout(undefined, "paid");
      await shop.flush();
      await page.getByText(id).first().waitFor({ timeout: 10_000 });
    });
  });

  test("resume now asks for the token, and then does it", async () => {
    await on("", async (page) => {
      await page.getByRole("button", { name: "Resume now" }).click();
      await page.getByRole("textbox", { name: "Token" }).fill("wrong");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("This is not the token.").waitFor();
      expect(done).not.toContain("resume");
      await page.getByRole("textbox", { name: "Token" }).fill(TOKEN);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("resume: ").waitFor();
      expect(done).toContain("resume");
    }).catch((error: unknown) => {
      // The browser tells of each 401 itself.
      if (!String(error).includes("401 (Unauthorized)")) throw error;
    });
    expect(done).toContain("resume");
  });

  test("several viewers share one look at the shop", async () => {
    let looks = 0;
    const look = opened.view.look.bind(opened.view);
    opened.view.look = () => {
      looks++;
      return look();
    };
    const ends = Array.from({ length: 20 }, () => new AbortController());
    // Kept: one that nobody holds is ended when it is collected as garbage.
    const streams = await Promise.all(ends.map(({ signal }) => fetch(`${opened.url}api/live`, { signal })));
    looks = 0;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    for (const end of ends) end.abort();
    expect(streams.map(({ status }) => status)).toEqual(ends.map(() => 200));
    expect(looks).toBeGreaterThan(0);
    expect(looks).toBeLessThanOrEqual(4);
  });

  test("an order that was paid without a charge is a violation, and the page says which", async () => {
    const id = "s0000000000000000wrong";
    const at = Date.now();
    const saga = {
      order: "o1w",
      generation: "g",
      user: "1",
      items: [["1", 2]],
      total: 10,
      startedAt: at,
      deadline: at,
    };
    shop.logs.order.add(
      at,
      "first",
      { op: "checkout", saga: id },
      { [`saga:${id}`]: { ...saga, state: "running", version: 1 } },
    );
    shop.logs.order.add(
      at,
      "first",
      { op: "saga_paid", saga: id },
      { [`saga:${id}`]: { ...saga, state: "paid", version: 2 } },
    );
    await shop.flush();
    await on("audit", async (page) => {
      await page.getByText("1 violations").waitFor({ timeout: 20_000 });
      await page.getByRole("link", { name: id }).click();
      await page.waitForURL(new RegExp(`/sagas/${id}`));
    });
  });
});
