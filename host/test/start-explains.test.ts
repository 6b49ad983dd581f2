/** A start ends or explains: what cannot work is one line that names its setting, what may pass is said again and again. */
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, startRedis } from "../../layers/redis-occ/test/support/redis.ts";
import { readConfiguration } from "../configuration.ts";
import { freeHttpPort, launch, startRefused, startShop, temporaryFolder, type Shop } from "./support/shop.ts";

const MINUTE = 60_000;
const endings: (() => unknown)[] = [];

beforeAll(() => {
  process.env["SHOP_HOST"] = "serve";
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, MINUTE);

const REDIS = (place: string, service = "STOCK"): Record<string, string> => ({ [`REDIS_URL_${service}`]: place });

describe("settings that cannot work are refused before anything is started", () => {
  test.each<[string, Record<string, string>, RegExp]>([
    [
      "a retention shorter than a step may be on its way",
      { RETENTION_MS: "1" },
      /^RETENTION_MS=1 is not a whole number from 120000/,
    ],
    [
      "a retention shorter than a checkout",
      { RETENTION_MS: "130000", SAGA_TIMEOUT_MS: "100000" },
      /^RETENTION_MS=130000 is less than SAGA_TIMEOUT_MS/,
    ],
    [
      "a retention shorter than a checkout by events",
      { SAGA: "events", RETENTION_MS: "600000" },
      /^RETENTION_MS=600000 is less than EVENT_SAGA_TIMEOUT_MS \(600000\)/,
    ],
    ["a step longer than a request", { STEP_TIMEOUT_MS: "10000" }, /^STEP_TIMEOUT_MS=10000 .* to 9500/],
    ["one port for two servers", { HTTP_PORT: "8000", LAMBDA_PORT: "8000" }, /^LAMBDA_PORT=8000 is HTTP_PORT/],
    [
      "a gateway without a scheme",
      { GATEWAY_URL: "127.0.0.1:23050" },
      /^GATEWAY_URL=127\.0\.0\.1:23050 is not an address/,
    ],
    ["a gateway of another scheme", { GATEWAY_URL: "ftp://x" }, /^GATEWAY_URL=ftp:\/\/x is not an address/],
    ["a gateway with a query", { GATEWAY_URL: "http://x/?a" }, /^GATEWAY_URL=.* has a query/],
    ["a host that is none", { HTTP_HOST: "not a host" }, /^HTTP_HOST=not a host is neither/],
    ["an origin with a path", { CORS_ORIGINS: "https://a.example/" }, /^CORS_ORIGINS names https:\/\/a\.example\//],
    ["every origin and one", { CORS_ORIGINS: "*,https://a.example" }, /^CORS_ORIGINS names \*/],
    ["a Redis without a scheme", REDIS("localhost:6379"), /^REDIS_URL_STOCK is not an address/],
    ["a Redis with a raw % in its password", REDIS("redis://:a%b@127.0.0.1"), /^REDIS_URL_STOCK has a % .*%25$/],
    ["a database that is no number", REDIS("redis://127.0.0.1/abc"), /^REDIS_URL_STOCK ends with \/abc/],
    [
      "one database for two",
      { ...REDIS("redis://127.0.0.1"), ...REDIS("redis://localhost:6379/0", "PAYMENT") },
      /^REDIS_URL_PAYMENT is the database of REDIS_URL_STOCK/,
    ],
  ])("%s", (_what, environment, message) => {
    expect(() => readConfiguration(environment)).toThrow(message);
  });

  test("no message has a password in it", () => {
    for (const place of ["redis://:secret@127.0.0.1/abc", "redis://:secret%@127.0.0.1", "rediss:/:secret@x"])
      expect(() => readConfiguration(REDIS(place))).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining("secret") as unknown }),
      );
  });
});

test.each<[Record<string, string>, object]>([
  [{ GATEWAY_URL: "http://127.0.0.1:1/" }, { DISPATCH: "http", GATEWAY_URL: "http://127.0.0.1:1" }],
  [
    { HTTP_HOST: "0.0.0.0", HTTP_PORT: "81" },
    { DISPATCH: "direct", GATEWAY_URL: "http://127.0.0.1:81", HTTP_HOST: "0.0.0.0" },
  ],
  [{ HTTP_HOST: "127.0.0.2" }, { GATEWAY_URL: "http://127.0.0.2:8000" }],
  [{ HTTP_HOST: "[::1]" }, { GATEWAY_URL: "http://[::1]:8000", HTTP_HOST: "::1" }],
  [{ HTTP_HOST: "::" }, { GATEWAY_URL: "http://[::1]:8000" }],
  [
    { CORS_ORIGINS: " https://a.example , http://localhost:3000," },
    { CORS_ORIGINS: "https://a.example,http://localhost:3000" },
  ],
  [
    { RETENTION_MS: "", LOG_LEVEL: "" },
    { RETENTION_MS: "86400000", LOG_LEVEL: "info" },
  ],
])("%j is put right", (environment, settings) => {
  expect(readConfiguration(environment).settings).toMatchObject(settings);
});

test(
  "an address that is not this machine's is one line",
  async () => {
    const refused = await startRefused({
      dataDir: temporaryFolder(),
      httpPort: await freeHttpPort(),
      environment: { HTTP_HOST: "203.0.113.1" },
    });
    expect([refused.exitCode, refused.stderr.trim().split("\n")]).toEqual([
      1,
      [expect.stringMatching(/^error: port \d+ \(HTTP_HOST, HTTP_PORT\) cannot be used: .*203\.0\.113\.1/)],
    ]);
  },
  MINUTE,
);

test(
  "HTTP_HOST is where it listens, what it says, and how its services reach each other",
  async () => {
    const shop = await startShop({ environment: { HTTP_HOST: "127.0.0.2", DISPATCH: "http" } });
    endings.push(() => shop.stop());
    const url = `http://127.0.0.2:${shop.httpPort}`;
    expect(shop.stdout()).toContain(`ready: ${url} `);
    const post = async (path: string): Promise<string> => (await fetch(url + path, { method: "POST" })).text();
    await post("/stock/batch_init/1/5/3");
    const { order_id: order } = JSON.parse(await post("/orders/create/0")) as { order_id: string };
    expect(await post(`/orders/addItem/${order}/0/1`)).toBe("3");
    await expect(fetch(`http://127.0.0.1:${shop.httpPort}/health`)).rejects.toThrow();
  },
  2 * MINUTE,
);

test("a Redis that is not there is said with its setting, and again; once it is there the start goes on", async () => {
  const [httpPort, port, dataDir] = [await freeHttpPort(), await freePort(), temporaryFolder()];
  endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const starting = launch({ httpPort, dataDir, environment: REDIS(`redis://127.0.0.1:${port}`) });
  endings.push(() => (starting.process.kill("SIGTERM"), starting.ended));
  const lines = (): string[] => starting.said.stderr.trim().split("\n");
  while (lines().length < 2) await sleep(50);
  for (const line of lines()) expect(line).toMatch(/^waiting: REDIS_URL_STOCK: .*ECONNREFUSED/);
  const ready = await fetch(`http://127.0.0.1:${httpPort}/ready`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("REDIS_URL_STOCK: ")]);
  const redis = await startRedis({ port });
  endings.push(() => redis.stop());
  await starting.ready();
}, 120_000);

test(
  "a host that is killed during the first start is started again; one that is killed each time ends the start",
  async () => {
    for (const kills of [1, 3]) {
      const dataDir = temporaryFolder();
      endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
      const starting = launch({ httpPort: await freeHttpPort(), dataDir });
      endings.push(() => (starting.process.kill("SIGTERM"), starting.ended));
      const killed = new Set<number>();
      while (killed.size < kills && starting.process.exitCode === null) {
        await sleep(5);
        const pid = pidIn(join(dataDir, "run", "host.pid"));
        if (pid !== 0 && !killed.has(pid)) process.kill(pid, "SIGKILL");
        if (pid !== 0) killed.add(pid);
      }
      if (kills === 1) await starting.ready();
      else expect(await starting.ended).toBe(1);
      const lines = starting.said.stderr.trim().split("\n");
      expect(lines[0]).toBe("host was killed while it started: it is started again");
      if (kills > 1) expect(lines.at(-1)).toBe("error: the functions' host did not start: host ended (SIGKILL)");
    }
  },
  2 * MINUTE,
);

/** 0 where there is none. */
function pidIn(file: string): number {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

test(
  "a log that is damaged ends the start with file and line",
  async () => {
    const dataDir = temporaryFolder();
    endings.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const shop: Shop = await startShop({ dataDir });
    for (let i = 0; i < 5; i++) await fetch(`${shop.url}/stock/item/create/5`, { method: "POST" });
    await shop.stop();
    const folder = join(dataDir, "log", "stock");
    const [segment = ""] = readdirSync(folder).filter((name) => name.startsWith("segment-"));
    const lines = readFileSync(join(folder, segment), "utf8").split("\n");
    writeFileSync(
      join(folder, segment),
      [...lines.slice(0, 1), (lines[1] ?? "").replace("5", "6"), ...lines.slice(2)].join("\n"),
    );
    await sleep(0);
    const refused = await startRefused({ dataDir, httpPort: await freeHttpPort() });
    expect([refused.exitCode, refused.stderr.trim().split("\n")]).toEqual([
      1,
      [expect.stringMatching(/^error: DATA_DIR: the log of stock: .*segment-.*\.jsonl:2/)],
    ]);
  },
  2 * MINUTE,
);
