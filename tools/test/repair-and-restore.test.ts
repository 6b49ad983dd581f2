import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { insteadOf } from "../../functions/test/support/faults.ts";
import { basket, PAID, stateOf, UNTOUCHED } from "../../functions/test/support/goods.ts";
import { Shop } from "../../functions/test/support/shop.ts";
import { copyOf, launched, redisOf, shoplog, spoil } from "./support.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());
afterEach(() => shop.reset());

const run = (...args: string[]) => shoplog(shop.folder, args, redisOf(shop));

/** Waits until a clock of one millisecond can tell what was before from what comes. */
async function now(): Promise<string> {
  await sleep(5);
  const time = new Date().toISOString();
  await sleep(5);
  return time;
}

test("repair: says what it would do, does it when asked to, and the log is sound again", async () => {
  const goods = await basket(shop);
  expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
  const { folder, remove } = copyOf(shop.folder);
  try {
    const place = spoil(
      folder,
      "stock",
      (line) => line.includes(`item:${goods.item}`) && line.includes('"add"'),
      (line) => line.replace('"stock":10', '"stock":11'),
    );
    const refused = await shoplog(folder, ["repair", "stock"]);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain(place);
    expect(refused.stdout).toMatch(
      /end the history behind commit 1:\d+, in a new epoch: \d+ commits? after it will not count any more/,
    );
    expect((await shoplog(folder, ["verify", "stock"])).code).toBe(1);

    const { code, stdout } = await shoplog(folder, ["repair", "stock", "--yes"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/kept: .*damaged/);
    expect((await shoplog(folder, ["verify", "stock"])).code).toBe(0);
    // The credit was charged and the stock is gone; the tool says so and does not hide it.
    const audited = await shoplog(folder, ["audit"]);
    expect(audited.code).toBe(1);
    expect(audited.stdout).toContain("is paid, and should hold 15 of credit and stock 3×");
    expect((await shoplog(folder, ["repair", "stock"])).stdout).toContain("nothing is to be repaired");
  } finally {
    remove();
  }
});

test("restore to a time, into the Redis servers of a shop that runs: all three services are as they were, and go on", async () => {
  const goods = await basket(shop);
  const before = await now();
  expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
  expect(await stateOf(shop, goods)).toEqual(PAID);
  const paid = await now();

  const { code, stdout } = await run("restore", "--at", before, "--yes");
  expect(code).toBe(0);
  expect(stdout).toMatch(/order +restored: epoch \d+ sets 2 keys/);
  expect(await stateOf(shop, goods)).toEqual(UNTOUCHED);
  expect((await run("verify")).code).toBe(0);
  expect((await run("diff")).code).toBe(0);
  expect((await run("audit")).code).toBe(0);

  // Nothing was unwritten: the checkout is in the history, and can be brought back.
  expect((await run("restore", "--at", paid, "--yes")).code).toBe(0);
  expect(await stateOf(shop, goods)).toEqual(PAID);
  expect((await run("audit")).code).toBe(0);
  expect((await shop.post(`/orders/checkout/${goods.order}`)).body).toBe("paid");
});

test("restore in the log alone, for a shop that does not run", async () => {
  const goods = await basket(shop);
  const before = await now();
  expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
  const { folder, remove } = copyOf(shop.folder);
  try {
    expect(await shoplog(folder, ["restore", "--at", before, "--yes"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("in the log alone, from which its program restores itself") as unknown,
    });
    const { stdout } = await shoplog(folder, ["state", "payment", "--key", `user:${goods.user}`]);
    expect(stdout).toContain('"credit":100');
    expect((await shoplog(folder, ["verify"])).code).toBe(0);
  } finally {
    remove();
  }
});

test("a checkout that cannot be undone is stuck, until it is settled", async () => {
  shop.hurry();
  const goods = await basket(shop);
  shop.gateway.always("/payment/charge", insteadOf(500));
  shop.gateway.always("/payment/refund", insteadOf(503));
  expect((await shop.post(`/orders/checkout/${goods.order}`, { time: 3_000 })).status).toBe(503);
  const stuck = await run("sagas", "--stuck", "--json");
  expect(stuck.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { order: goods.order, state: "compensating", standing: "stuck", undo: ["charge", "reserve"] },
  ]);
  expect((await run("sagas", "--stuck")).stdout).toMatch(/compensating, \d+ s past its deadline/);
  expect((await run("audit", "--json")).stdout).toContain('"open":1');
  shop.gateway.heal();
  await shop.run("order/resume-sagas");
  expect((await run("sagas", "--stuck", "--json")).lines).toEqual([]);
  expect((await run("audit")).code).toBe(0);
});

test("compact: the log is folded, and everything reads as before", async () => {
  const goods = await basket(shop);
  const before = (await run("show", "--json")).lines;
  const { code, stdout } = await run("compact");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /stock +compacted: \d+ commits? folded, \d+ segments? archived; the snapshot is of commit \d+:\d+/,
  );
  expect((await run("show", "--json")).lines).toEqual(before);
  expect((await run("verify")).code).toBe(0);
  expect((await run("audit")).code).toBe(0);
  expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
});

test("follow: what is appended while it runs, until Ctrl-C", async () => {
  const { child, said } = launched(
    join("node_modules", ".bin", "node"),
    ["tools/main.ts", "follow", "payment", "--last", "1", "--json"],
    { DATA_DIR: shop.folder },
  );
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const seen = async (ops: readonly string[]): Promise<void> => {
    const told = (): string[] =>
      said.stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => String((JSON.parse(line) as { op?: string }).op));
    for (const end = Date.now() + 20_000; told().slice(1).join() !== ops.join(); await sleep(20))
      if (Date.now() > end) throw new Error(`told: ${said.stdout}${said.stderr}`);
  };
  await seen([]);
  for (const end = Date.now() + 20_000; said.stdout === ""; await sleep(20))
    if (Date.now() > end) throw new Error(said.stderr);
  await shop.post("/payment/create_user");
  await seen(["create_user"]);
  await shop.post("/payment/batch_init/3/5");
  await seen(["create_user", "batch_init"]);
  child.kill("SIGINT");
  expect(await ended).toBe(0);
});

test("backup: a data folder of its own, taken beside the shop, that verifies, and has each checkout whole at any moment before", async () => {
  const goods = await basket(shop);
  expect((await shop.post(`/orders/checkout/${goods.order}`)).status).toBe(200);
  const parent = mkdtempSync(join(tmpdir(), "shoplog-backup-"));
  const folder = join(parent, "copy");
  try {
    const before = await now();
    const { code, stdout, stderr } = await run("backup", folder);
    expect([code, stderr]).toEqual([0, ""]);
    for (const service of ["order", "stock", "payment"])
      expect(stdout).toMatch(
        new RegExp(`${service} +copied: \\d+ commits, the last one \\d+:\\d+\\n${service} +sound`),
      );
    expect((await shop.post("/payment/create_user")).status).toBe(200);
    for (const command of ["verify", "audit"]) expect((await shoplog(folder, [command])).code).toBe(0);
    expect((await shoplog(folder, ["state", "stock", "--key", `item:${goods.item}`])).stdout).toContain('"stock":7');
    expect((await shoplog(folder, ["restore", "--at", before, "--yes"])).code).toBe(0);
    expect((await shoplog(folder, ["audit"])).code).toBe(0);
    // What is there is not touched; and one service alone is a copy of that.
    expect(await run("backup", folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is there already") as unknown,
    });
    expect((await run("backup", join(parent, "stock"), "stock")).code).toBe(0);
    expect(readdirSync(join(parent, "stock", "log"))).toEqual(["stock"]);
  } finally {
    rmSync(parent, { recursive: true });
  }
});

test("repair tells what may have been answered and is lost at the end, and asks; what an editor did costs nothing", async () => {
  const goods = await basket(shop);
  expect((await shop.post(`/payment/pay/${goods.user}/1`)).status).toBe(200);
  const { folder, remove } = copyOf(shop.folder);
  try {
    const log = join(folder, "log", "payment");
    const [name = ""] = readdirSync(log).filter((file) => file.startsWith("segment-"));
    const whole = readFileSync(join(log, name), "utf8");
    const credit = async (): Promise<string> =>
      (await shoplog(folder, ["state", "payment", "--key", `user:${goods.user}`])).stdout;
    const right = await credit();
    writeFileSync(join(log, name), whole.replaceAll("\n", "\r\n"));
    expect((await shoplog(folder, ["repair", "payment", "--yes"])).code).toBe(0);
    expect(await credit()).toBe(right);
    expect((await shoplog(folder, ["verify", "payment"])).code).toBe(0);

    const stock = join(folder, "log", "stock");
    const [last = ""] = readdirSync(stock).filter((file) => file.startsWith("segment-"));
    const bytes = readFileSync(join(stock, last));
    const at = bytes.lastIndexOf('"set"') + 8;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(stock, last), bytes);
    const asked = await shoplog(folder, ["repair", "stock"]);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("pass --yes") as unknown });
    expect(asked.stdout).toMatch(/: 1 commit after it will not count any more, .*may have been answered for/);
    expect((await shoplog(folder, ["repair", "stock", "--yes"])).code).toBe(0);
    expect((await shoplog(folder, ["verify", "stock"])).code).toBe(0);
  } finally {
    remove();
  }
});
