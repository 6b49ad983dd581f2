/**
 * What the supervisor says, and where it says it, may fail: its reader ends, its disk is full, its folder is removed. Each child
 * that dies then is started again all the same. And one data folder is one shop's, however its processes are kept apart.
 */
import { afterEach, describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  freeHttpPort,
  startRefused,
  startShop,
  temporaryFolder,
  type Shop,
  type ShopOptions,
} from "../host/test/support/shop.ts";

const MINUTE = 60_000;
const endings: (() => unknown)[] = [];

process.env["SHOP_HOST"] = "serve";

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, MINUTE);

async function start(options: ShopOptions = {}): Promise<Shop> {
  const shop = await startShop(options);
  endings.push(() => shop.stop());
  return shop;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, patience = 30_000): Promise<void> {
  for (
    const end = Date.now() + patience;
    !(await Promise.resolve()
      .then(holds)
      .catch(() => false));
    await sleep(25)
  ) {
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
  }
}

const post = async (shop: Shop, path: string): Promise<number> =>
  (await fetch(shop.url + path, { method: "POST", signal: AbortSignal.timeout(5_000) })).status;
const serves = (shop: Shop) => async (): Promise<boolean> => (await post(shop, "/stock/add/0/1")) === 200;

/** Kills a child and waits for its successor, by its pid file. */
async function replaced(shop: Shop, name: string): Promise<void> {
  const before = shop.kill(name);
  await until(`${name} is there again`, () => shop.pid(name) !== before && shop.pid(name) > 0);
}

test(
  "its reader has ended, as head does: a child that dies is started again, and its end is orderly",
  async () => {
    const shop = await startShop({ environment: { LOG_LEVEL: "error" } });
    await post(shop, "/stock/batch_init/1/5/1");
    shop.supervisor.stdout?.destroy();
    shop.supervisor.stderr?.destroy();
    for (const name of ["redis-stock", "redis-payment", "host"]) await replaced(shop, name);
    await until("it serves", serves(shop));
    expect(await shop.stop()).toBe(0);
  },
  2 * MINUTE,
);

test(
  "run/ is removed while the shop runs: a child that dies is started again, and what a further host needs is there again",
  async () => {
    const shop = await start();
    await post(shop, "/stock/batch_init/1/5/1");
    const pid = shop.pid("redis-stock");
    rmSync(join(shop.dataDir, "run"), { recursive: true });
    process.kill(pid, "SIGKILL");
    await until("a new Redis has a pid file", () => shop.pid("redis-stock") !== pid);
    await until("it serves", serves(shop));
    expect(shop.redisUrl("order")).toMatch(/^redis:/);
    const again = await startRefused({ dataDir: shop.dataDir, httpPort: await freeHttpPort() });
    expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining("supervised by another start")]);
  },
  2 * MINUTE,
);

test(
  "the data folder is moved away while the shop runs: nothing is made in its place, one line says so, and all goes on once it is back",
  async () => {
    const place = temporaryFolder();
    endings.push(() => rmSync(place, { recursive: true, force: true }));
    const [dataDir, away] = [join(place, "data"), join(place, "away")];
    const shop = await start({ dataDir });
    await post(shop, "/stock/batch_init/1/5/1");
    const lines = (): string[] =>
      shop
        .stderr()
        .split("\n")
        .filter((line) => line.includes(`${dataDir} can`));
    const pid = shop.pid("redis-stock");
    renameSync(dataDir, away);
    process.kill(pid, "SIGKILL");
    await until("a line says so", () => lines().length > 0);
    await until("it is seen that a Redis has died", () => shop.stderr().includes("redis-stock has died"));
    await fetch(`${shop.url}/console/`);
    await until("an order is refused", async () => (await post(shop, "/payment/create_user")) >= 500);
    await sleep(2_500);
    expect([existsSync(dataDir), lines()]).toEqual([
      false,
      [expect.stringMatching(/^waiting: DATA_DIR: .* cannot be written: ENOENT/)],
    ]);
    renameSync(away, dataDir);
    await until("it serves", serves(shop));
    await until("a new Redis has a pid file", () => shop.pid("redis-stock") !== pid);
    await until("another line says so", () => lines().length === 2);
    const again = await startRefused({ dataDir, httpPort: await freeHttpPort() });
    expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining("supervised by another start")]);
  },
  2 * MINUTE,
);

const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;
const mayUnshare = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0;

describe("a full disk", () => {
  (mayMount ? test : test.skip)(
    "a child that dies is started again; what was refused for want of space is done once there is some, and pid files are right",
    async () => {
      const disk = mkdtempSync(join(tmpdir(), "shop-disk-"));
      expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=12m", "none", disk]).status).toBe(0);
      endings.push(() => {
        spawnSync("umount", ["-l", disk]);
        rmSync(disk, { recursive: true, force: true });
      });
      const shop = await start({ dataDir: join(disk, "data") });
      await post(shop, "/stock/batch_init/1/5/1");
      const before = shop.pid("redis-payment");
      spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "fill")}`, "bs=4k"]);
      process.kill(before, "SIGKILL");
      await sleep(3_000);
      expect((await fetch(`${shop.url}/stock/find/0`)).status).toBe(200);
      await until(
        "there is no room for an order more",
        async () => (await post(shop, "/stock/batch_init/100/5/1")) === 503,
      );
      const host = shop.pid("host");
      process.kill(host, "SIGKILL");
      await until("another host answers on the full disk", async () => (await fetch(`${shop.url}/ready`)).status > 0);
      rmSync(join(disk, "fill"));
      await until("stock takes orders again", serves(shop));
      await until("payment, too", async () => (await post(shop, "/payment/create_user")) === 200);
      await until(
        "the pid files tell the new ones",
        () => shop.pid("redis-payment") !== before && shop.pid("host") !== host,
      );
      expect(() => process.kill(shop.pid("redis-payment"), 0)).not.toThrow();
    },
    2 * MINUTE,
  );
});

describe("one data folder", () => {
  (mayUnshare ? test : test.skip)(
    "is refused to a second container, which sees no process of the first",
    async () => {
      const dataDir = temporaryFolder();
      endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
      const container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--"];
      const first = await startShop({ dataDir, within: container });
      endings.push(() => first.stop("SIGKILL"));
      const second = await startRefused({ dataDir, httpPort: await freeHttpPort(), within: container });
      expect([second.exitCode, second.stdout, second.stderr.trim().split("\n")]).toEqual([
        1,
        "",
        [expect.stringMatching(/^error: the data folder .* is supervised by another start \(in another container/)],
      ]);
      expect(await post(first, "/stock/item/create/5")).toBe(200);
    },
    2 * MINUTE,
  );

  test(
    "is taken over from a container that is gone, once its lock has not moved for seconds",
    async () => {
      const dataDir = temporaryFolder();
      endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
      const lock = join(dataDir, "supervisor.lock");
      writeFileSync(lock, JSON.stringify({ pid: 7, place: "another boot/pid:[1]", started: "1" }));
      const shop = await start({ dataDir });
      expect(JSON.parse(readFileSync(lock, "utf8"))).toMatchObject({ pid: shop.supervisor.pid });
    },
    2 * MINUTE,
  );

  test(
    "that another has taken over while its owner was stopped is left: the owner ends with one line",
    async () => {
      const dataDir = temporaryFolder();
      endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
      const shop = await startShop({ dataDir });
      const lock = join(dataDir, "supervisor.lock");
      const other = JSON.stringify({ pid: 7, place: "another boot/pid:[1]", started: "1" });
      writeFileSync(lock, other);
      utimesSync(lock, new Date(), new Date());
      await until("it ends", () => shop.supervisor.exitCode !== null);
      expect([shop.supervisor.exitCode, shop.stderr().trim().split("\n")]).toEqual([
        1,
        [expect.stringContaining("was taken over by another start")],
      ]);
      expect([existsSync(lock), readFileSync(lock, "utf8")]).toEqual([true, other]);
    },
    2 * MINUTE,
  );
});

describe("a signal that arrives twice", () => {
  /** A checkout that hangs: its payment service is stopped and goes on a second later. */
  async function underWay(environment = {}): Promise<{ shop: Shop; answer: Promise<number>; goOn: () => void }> {
    const shop = await startShop({ environment });
    const redis = shop.pid("redis-payment");
    await post(shop, "/payment/create_user");
    process.kill(redis, "SIGSTOP");
    const answer = post(shop, "/payment/create_user").catch(() => 0);
    await sleep(200);
    return { shop, answer, goOn: () => void process.kill(redis, "SIGCONT") };
  }

  test(
    "is one wish: what is under way is answered",
    async () => {
      const { shop, answer, goOn } = await underWay();
      shop.supervisor.kill("SIGINT");
      await sleep(100);
      shop.supervisor.kill("SIGINT");
      await sleep(700);
      goOn();
      expect(await answer).toBe(200);
      expect(await shop.stop()).toBe(0);
    },
    2 * MINUTE,
  );

  test(
    "a second one after a pause is impatience: it ends at once",
    async () => {
      const { shop, answer } = await underWay();
      shop.supervisor.kill("SIGINT");
      await sleep(1_300);
      // Redis stands still, so an orderly end would not come.
      expect(await shop.stop("SIGINT")).toBe(0);
      expect(await answer).toBe(0);
    },
    2 * MINUTE,
  );

  test(
    "below npm, which passes it on late on a busy machine, only the third is impatience",
    async () => {
      const { shop, answer, goOn } = await underWay({ npm_lifecycle_event: "serve" });
      shop.supervisor.kill("SIGINT");
      await sleep(1_300);
      shop.supervisor.kill("SIGINT");
      await sleep(300);
      goOn();
      expect(await answer).toBe(200);
      expect(await shop.stop()).toBe(0);
    },
    2 * MINUTE,
  );

  test(
    "below npm, too, a third one ends it at once",
    async () => {
      const { shop, answer } = await underWay({ npm_lifecycle_event: "serve" });
      for (const pause of [0, 1_300]) {
        await sleep(pause);
        shop.supervisor.kill("SIGINT");
      }
      await sleep(50);
      expect(await shop.stop("SIGINT")).toBe(0);
      expect(await answer).toBe(0);
    },
    2 * MINUTE,
  );
});
