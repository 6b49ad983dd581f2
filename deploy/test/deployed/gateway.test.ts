/**
 * The gateway of docker-compose.yml, with an emulator that is restarted alone: what the emulator held is gone, the logs of the
 * shop with it, and Redis still has the state of the shop before.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { Diagnostics } from "../../../host/diagnostics.ts";
import { freePorts } from "../../../host/ports.ts";
import { SERVICES } from "../../../host/configuration.ts";
import { until } from "../../../test/support/cluster.ts";
import { emulatorNamed } from "../../emulator/emulator.ts";
import { deployedShop } from "../../../test/support/shop-under-test.ts";

const MINUTES = 60_000;
const ROOT = join(import.meta.dirname, "..", "..", "..");

const emulator = emulatorNamed();
const folder = mkdtempSync(join(tmpdir(), "shop-gateway-"));
const shop = deployedShop(process.env["SHOP_DEPLOYED"] ?? "", process.env["SHOP_DATA_DIR"] ?? "");
let ports: { emulator: number; gateway: number };
let running: ChildProcess;
let gateway: ChildProcess;
let said = "";

beforeAll(async () => {
  const [first = 0, second = 0] = await freePorts(2);
  ports = { emulator: first, gateway: second };
  await startEmulator();
  // The servers of the shop under test, but a database of this one's own.
  const redis = SERVICES.map((service) => [`REDIS_URL_${service.toUpperCase()}`, `${shop.redisUrl(service)}/1`]);
  gateway = spawn(process.execPath, [join(ROOT, "deploy", "compose-gateway.ts")], {
    env: {
      ...process.env,
      ...emulator.stage,
      ...(Object.fromEntries(redis) as Record<string, string>),
      SHOP_ENDPOINT: `http://127.0.0.1:${ports.emulator}`,
      PORT: String(ports.gateway),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const output of [gateway.stdout, gateway.stderr])
    output?.on("data", (text: Buffer) => (said += text.toString()));
}, MINUTES);

afterAll(async () => {
  gateway.kill();
  await killEmulator();
  rmSync(folder, { recursive: true, force: true });
});

async function startEmulator(): Promise<void> {
  const state = mkdtempSync(join(folder, "emulator-"));
  mkdirSync(join(folder, "run"), { recursive: true });
  const child = emulator.child(ports.emulator, state, new Diagnostics(join(folder, "run"), "gateway-test"));
  running = child.spawn();
  await child.ready(AbortSignal.timeout(MINUTES));
}

async function killEmulator(): Promise<void> {
  const ended = once(running, "exit");
  process.kill(-(running.pid ?? NaN), "SIGKILL");
  await ended;
}

async function asked(method: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${ports.gateway}${path}`, { method });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** As `asked`, with patience for a process that has just started. */
async function answered(method: string, path: string): Promise<Record<string, unknown>> {
  let body: Record<string, unknown> = {};
  await until(`${path} is answered`, async () => {
    ({ body } = await asked(method, path));
    return (body["error"] as { code?: string } | undefined)?.code !== "restoring";
  });
  return body;
}

test(
  "where the emulator is restarted alone, the shop is deployed again, and is a new one",
  async () => {
    await until("the gateway listens", async () => (await asked("GET", "/stock/find/x")).status > 0);
    expect((await asked("POST", "/stock/item/create/5")).status).toBe(503);
    await until("it has deployed", () => said.includes("ready: "), 4 * MINUTES);
    const item = String((await answered("POST", "/stock/item/create/5"))["item_id"]);
    expect(await answered("GET", `/stock/find/${item}`)).toEqual({ stock: 0, price: 5 });

    await killEmulator();
    expect((await asked("GET", `/stock/find/${item}`)).status).toBe(503);
    await startEmulator();
    await until("it has deployed again", () => said.split("ready: ").length === 3, 4 * MINUTES);
    expect(await answered("GET", `/stock/find/${item}`)).toMatchObject({ error: { code: "unknown_item" } });
    const { item_id: again } = await answered("POST", "/stock/item/create/7");
    expect(await answered("GET", `/stock/find/${String(again)}`)).toEqual({ stock: 0, price: 7 });
    const redis = new Redis(`${shop.redisUrl("stock")}/1`);
    expect(await redis.exists(`item:${item}`)).toBe(0);
    redis.disconnect();
    expect(gateway.exitCode).toBeNull();
  },
  10 * MINUTES,
);
