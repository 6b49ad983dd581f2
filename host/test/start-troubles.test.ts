/** A start that finds what it cannot work with, Redis servers and files: within seconds the terminal says so, with the setting's name. */
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis } from "../../layers/redis-occ/test/support/redis.ts";
import type { Launched } from "../launched.ts";
import { freeHttpPort, launch, startShop, temporaryFolder, type ShopOptions } from "./support/shop.ts";

const MINUTE = 60_000;
/** Milliseconds from the command to the line: 5 s on a machine that does nothing else. */
const SOON = 10_000;
const endings: (() => unknown)[] = [];

beforeAll(() => {
  process.env["SHOP_HOST"] = "serve";
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, MINUTE);

interface Start {
  readonly launched: Launched;
  readonly url: string;
  /** The first line that it says, and how long that took. */
  readonly line: string;
  readonly after: number;
}

async function started(environment: Record<string, string>, options: Partial<ShopOptions> = {}): Promise<Start> {
  const [httpPort, dataDir] = [await freeHttpPort(), options.dataDir ?? folder()];
  const began = performance.now();
  const launched = launch({ httpPort, ...options, dataDir, environment });
  endings.push(() => (launched.process.kill("SIGTERM"), launched.ended));
  while (!launched.said.stderr.includes("\n") && launched.process.exitCode === null) await sleep(20);
  const after = performance.now() - began;
  return { launched, url: `http://127.0.0.1:${httpPort}`, line: launched.said.stderr.split("\n")[0] ?? "", after };
}

function folder(): string {
  const made = temporaryFolder();
  endings.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** What never gets better by waiting: one line, and the exit code. */
async function expectEnd({ launched, line, after }: Start, words: RegExp): Promise<void> {
  expect(line).toMatch(words);
  expect(after).toBeLessThan(SOON);
  expect([await launched.ended, launched.said.stdout, launched.said.stderr]).toEqual([1, "", `${line}\n`]);
}

/** What may get better: the same words on `/ready`. */
async function expectWaiting({ launched, url, line, after }: Start, words: RegExp): Promise<void> {
  expect(line).toMatch(words);
  expect(after).toBeLessThan(SOON);
  const ready = (): Promise<Response | null> => fetch(`${url}/ready`).catch(() => null);
  let answer = await ready();
  for (; answer === null; answer = await ready()) await sleep(50);
  const { services } = (await answer.json()) as { services: Record<string, string | null> };
  expect(Object.values(services)).toContainEqual(
    expect.stringMatching(new RegExp(words.source.replace("^waiting: ", "^"))),
  );
  for (const said of launched.said.stderr.trim().split("\n")) expect(said).toMatch(words);
  expect(launched.process.exitCode).toBeNull();
}

/** A server on loopback of the test's own. @returns its port */
async function listening(serve: (client: Socket) => void): Promise<number> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client.on("error", () => undefined));
    serve(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  endings.push(() => (clients.forEach((client) => client.destroy()), server.close()));
  return (server.address() as AddressInfo).port;
}

async function redis(...args: readonly string[]): Promise<number> {
  const server = await startRedis({ args });
  endings.push(() => server.stop());
  return server.port;
}

/** A real Redis whose answers say that it is older, to the same length. */
async function olderRedis(): Promise<number> {
  const port = await redis();
  return listening((client) => {
    const target = connect(port, "127.0.0.1").on("error", () => client.destroy());
    client.pipe(target).on("close", () => client.destroy());
    target.on("data", (bytes) =>
      client.write(Buffer.from(bytes.toString("latin1").replace(/(redis_version:)\d/, "$16"), "latin1")),
    );
  });
}

const webServer = (): Promise<number> =>
  listening((client) => void client.on("data", () => client.end("HTTP/1.1 400 Bad Request\r\n\r\n")));

describe("a Redis that cannot be worked with ends the start", () => {
  test.each<[string, () => Promise<string>, RegExp]>([
    ["a wrong password", async () => `redis://:wrong@127.0.0.1:${await redis("--requirepass", "right")}`, /WRONGPASS/],
    ["no password", async () => `redis://127.0.0.1:${await redis("--requirepass", "right")}`, /NOAUTH/],
    [
      "a node of a cluster",
      async () => `redis://127.0.0.1:${await redis("--cluster-enabled", "yes", "--dir", folder())}`,
      /cluster/,
    ],
    ["an old version", async () => `redis://127.0.0.1:${await olderRedis()}`, /Redis 6.* 7 or newer/],
    ["a database that it does not have", async () => `redis://127.0.0.1:${await redis()}/99`, /99/],
    ["another server", async () => `redis://127.0.0.1:${await webServer()}`, /no Redis/],
    ["another server, by TLS", async () => `rediss://127.0.0.1:${await webServer()}`, /no TLS/],
    [
      "a policy that evicts",
      async () => `redis://127.0.0.1:${await redis("--maxmemory-policy", "allkeys-lru")}`,
      /noeviction/,
    ],
  ])(
    "%s",
    async (_what, place, words) => {
      const start = await started({ REDIS_URL_STOCK: await place() });
      await expectEnd(start, new RegExp(`^error: REDIS_URL_STOCK: .*${words.source}`));
    },
    MINUTE,
  );

  test(
    "one for two services, under two names of this machine",
    async () => {
      const port = await redis("--bind", "0.0.0.0");
      const start = await started({
        REDIS_URL_STOCK: `redis://127.0.0.1:${port}`,
        REDIS_URL_PAYMENT: `redis://127.0.0.2:${port}`,
      });
      await expectEnd(start, /^error: REDIS_URL_(STOCK|PAYMENT), DATA_DIR: .* holds the state of log/);
    },
    MINUTE,
  );
});

describe("a Redis that may still come is waited for", () => {
  test.each(["serve", "start"])(
    "and a signal ends npm %s at once all the same",
    async (host) => {
      process.env["SHOP_HOST"] = host;
      const { launched } = await started({ REDIS_URL_PAYMENT: "redis://127.0.0.1:1" }).finally(
        () => (process.env["SHOP_HOST"] = "serve"),
      );
      launched.process.kill("SIGTERM");
      expect(await launched.ended).toBe(0);
    },
    MINUTE,
  );

  test.each<[string, () => Promise<string>, RegExp]>([
    ["nobody listens", async () => "redis://127.0.0.1:1", /ECONNREFUSED/],
    ["a name that nobody has", async () => "redis://redis.invalid", /redis\.invalid|ENOTFOUND|EAI_AGAIN/],
    [
      "it accepts connections and says nothing",
      async () => `redis://127.0.0.1:${await listening(() => undefined)}`,
      /./,
    ],
    ["it speaks no TLS", async () => `rediss://127.0.0.1:${await redis()}`, /./],
  ])(
    "%s",
    async (_what, place, words) => {
      await expectWaiting(
        await started({ REDIS_URL_PAYMENT: await place() }),
        new RegExp(`^waiting: REDIS_URL_PAYMENT: .*${words.source}`),
      );
    },
    MINUTE,
  );
});

const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

describe("a data folder that cannot be made", () => {
  test.each(["/proc/shop", "/proc/shop/and/below"])(
    "in a file system that makes none: the start of %s ends",
    async (dataDir) => {
      const within = ["timeout", "--signal=KILL", "30"];
      const end = await started({}, { dataDir, within });
      await expectEnd(end, /^error: DATA_DIR: the data folder \/proc\/shop.* cannot be used: ENOENT.*'\/proc\/shop'/);
    },
    MINUTE,
  );

  (mayMount ? test : test.skip)(
    "on a disk that is read-only: the line says so",
    async () => {
      const disk = folder();
      expect(spawnSync("mount", ["-t", "tmpfs", "-o", "ro", "none", disk]).status).toBe(0);
      endings.push(() => spawnSync("umount", ["-l", disk]));
      await expectEnd(await started({}, { dataDir: join(disk, "data") }), /^error: DATA_DIR: .* cannot be used: EROFS/);
    },
    MINUTE,
  );
});

const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** All that a first start of root has made, given to nobody. */
async function dataOfNobody(): Promise<string> {
  const dataDir = folder();
  const shop = await startShop({ dataDir });
  for (let i = 0; i < 3; i++) await fetch(`${shop.url}/stock/item/create/5`, { method: "POST" });
  await shop.stop();
  for (const name of ["", ...readdirSync(dataDir, { recursive: true, encoding: "utf8" })])
    chownSync(join(dataDir, name), 65_534, 65_534);
  return dataDir;
}

(process.getuid?.() === 0 && spawnSync(asNobody[0] ?? "", [...asNobody.slice(1), "true"]).status === 0
  ? describe
  : describe.skip)("files that belong to somebody else", () => {
  test.each<[string, string, RegExp]>([
    ["the data folder", "", /^error: DATA_DIR: /],
    ["the secrets", "secrets/internal-secret", /^error: DATA_DIR: .*internal-secret/],
    ["the manifest", "stores.json", /^error: DATA_DIR: .*stores\.json/],
    ["the identity of a log", "log/stock/store.json", /^error: DATA_DIR: .*stock\/store\.json/],
  ])(
    "%s",
    async (_what, file, words) => {
      const dataDir = await dataOfNobody();
      chownSync(join(dataDir, file), 0, 0);
      chmodSync(join(dataDir, file), 0o600);
      await expectEnd(await started({}, { dataDir, within: asNobody }), words);
    },
    MINUTE,
  );

  test(
    "a segment of a log",
    async () => {
      const dataDir = await dataOfNobody();
      const stock = join(dataDir, "log", "stock");
      for (const name of readdirSync(stock).filter((one) => one.startsWith("segment-"))) {
        chownSync(join(stock, name), 0, 0);
        chmodSync(join(stock, name), 0o600);
      }
      await expectEnd(
        await started({}, { dataDir, within: asNobody }),
        /^error: DATA_DIR: the log of stock: .*segment-.*EACCES/,
      );
    },
    MINUTE,
  );
});
