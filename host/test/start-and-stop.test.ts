import { afterEach, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort, type Shop, startRefused, startShop, temporaryFolder } from "./support/shop.ts";
import { SERVICES } from "../../functions/settings/services.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const CHILDREN = ["redis-order", "redis-stock", "redis-payment", "host"];
const running: Shop[] = [];

afterEach(async () => {
  for (const shop of running.splice(0).reverse()) await shop.stop();
}, 60_000);

async function start(...options: Parameters<typeof startShop>): Promise<Shop> {
  const shop = await startShop(...options);
  running.push(shop);
  return shop;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

function ofRun(dataDir: string): string[] {
  return readdirSync(join(dataDir, "run")).filter((name) => !name.endsWith(".out") && !name.endsWith(".log"));
}

test("a start says one line, with the address and a curl to try", async () => {
  const shop = await start();
  expect(shop.stdout()).toBe(`ready: ${shop.url}  try: curl -X POST ${shop.url}/stock/item/create/5\n`);
  expect(shop.stderr()).toBe("");
  expect((await fetch(`${shop.url}/stock/item/create/5`, { method: "POST" })).status).toBe(200);
}, 90_000);

test("secrets are for the owner only: addresses 0600, run folder 0700, and no process shows a password among its arguments", async () => {
  const shop = await start();
  expect(statSync(join(shop.dataDir, "run")).mode & 0o777).toBe(0o700);
  for (const service of SERVICES) {
    expect(statSync(join(shop.dataDir, "run", `redis-${service}.url`)).mode & 0o777).toBe(0o600);
    const { password } = new URL(shop.redisUrl(service));
    expect(password.length).toBeGreaterThanOrEqual(32);
    const everyArgument = execFileSync("ps", ["-eo", "args"], { encoding: "utf8", maxBuffer: 1 << 26 });
    expect(everyArgument.includes(password)).toBe(false);
  }
}, 90_000);

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s stops everything that was started, within seconds, and leaves nothing behind",
  async (signal) => {
    const dataDir = temporaryFolder();
    const shop = await startShop({ dataDir });
    const pids = CHILDREN.map((name) => shop.pid(name));
    const began = Date.now();
    expect(await shop.stop(signal)).toBe(0);
    expect(Date.now() - began).toBeLessThan(8_000);
    expect(pids.filter(lives)).toEqual([]);
    expect(ofRun(dataDir)).toEqual([]);
  },
  90_000,
);

test("a data folder that another start supervises is one clear error, and the running shop is not disturbed", async () => {
  const shop = await start();
  const pids = CHILDREN.map((name) => shop.pid(name));
  const refused = await startRefused({ dataDir: shop.dataDir, httpPort: await freeHttpPort() });
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toBe("");
  expect(refused.stderr.trim().split("\n")).toHaveLength(1);
  expect(refused.stderr).toMatch(/supervised by another start/);
  expect(CHILDREN.map((name) => shop.pid(name))).toEqual(pids);
}, 90_000);

test("a taken port is one clear error, exit code 1, and nothing is left behind", async () => {
  const port = await freeHttpPort();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
  try {
    const dataDir = temporaryFolder();
    const refused = await startRefused({ dataDir, httpPort: port });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr.trim().split("\n")).toHaveLength(1);
    expect(refused.stderr).toContain(`port ${port}`);
    expect(ofRun(dataDir)).toEqual([]);
    expect(existsSync(join(dataDir, "stores.json"))).toBe(false);
  } finally {
    other.close();
  }
}, 90_000);

test("a log folder that is not the one of this data folder is refused: empty, or another's", async () => {
  const dataDir = temporaryFolder();
  const shop = await startShop({ dataDir });
  await shop.stop();
  const identity = join(dataDir, "log", "stock", "store.json");
  const right = readFileSync(identity, "utf8");
  for (const wrong of ['{"id":"another"}', "{}"]) {
    writeFileSync(identity, wrong);
    const refused = await startRefused({ dataDir, httpPort: await freeHttpPort() });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^error: the log of stock is not the one this data folder was made with/);
  }
  writeFileSync(identity, right);
  await start({ dataDir });
}, 120_000);

test("a supervisor that was killed does not block the next start, which stops what it left behind first", async () => {
  const dataDir = temporaryFolder();
  const shop = await startShop({ dataDir });
  const left = CHILDREN.map((name) => shop.pid(name));
  await shop.stop("SIGKILL");
  expect(left.filter(lives)).toEqual(left);
  const next = await start({ dataDir, httpPort: shop.httpPort });
  expect(left.filter(lives)).toEqual([]);
  expect(CHILDREN.map((name) => lives(next.pid(name)))).toEqual([true, true, true, true]);
}, 120_000);

test("a pid on file that another process has now is left alone", async () => {
  const dataDir = temporaryFolder();
  const shop = await startShop({ dataDir });
  const left = CHILDREN.map((name) => shop.pid(name));
  await shop.stop("SIGKILL");
  for (const pid of left) process.kill(pid, "SIGKILL");
  const ledger = join(dataDir, "run", "supervisor.json");
  const recycled = readFileSync(ledger, "utf8").replace(/"pid":\d+/, `"pid":${process.pid}`);
  writeFileSync(ledger, recycled);
  await sleep(100);
  await start({ dataDir }); // a SIGTERM to this process's group would end the test run
}, 120_000);

test.each(["start", "serve"])(
  "npm %s works in a folder whose name has what stands for something else in a URL",
  async (host) => {
    const folder = temporaryFolder();
    const root = join(folder, "a#b %41?c");
    for (const part of ["console", "deploy", "docs", "functions", "host", "tools", "package.json", "serverless.yml"])
      cpSync(join(ROOT, part), join(root, part), { recursive: true, filter: (path) => !path.endsWith("/test") });
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    const before = process.env["SHOP_HOST"];
    try {
      process.env["SHOP_HOST"] = host;
      const shop = await startShop({ root });
      expect((await fetch(`${shop.url}/stock/item/create/5`, { method: "POST" })).status).toBe(200);
      expect(await shop.stop()).toBe(0);
    } finally {
      if (before === undefined) delete process.env["SHOP_HOST"];
      else process.env["SHOP_HOST"] = before;
      rmSync(folder, { recursive: true });
    }
  },
  90_000,
);

test.each([
  ["LAMBDA_PORT", "eighty"],
  ["DURABILITY", "maybe"],
  ["REDIS_URL_STOCK", "localhost:6379"],
  ["SAGA_TIMEOUT_MS", "-1"],
  ["REDIS_SERVER", "/nowhere/redis-server"],
])(
  "a wrong %s is one clear error that names it",
  async (name, value) => {
    const refused = await startRefused({
      dataDir: temporaryFolder(),
      httpPort: await freeHttpPort(),
      environment: { [name]: value },
    });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr.trim().split("\n")).toHaveLength(1);
    expect(refused.stderr).toContain(name);
  },
  90_000,
);
