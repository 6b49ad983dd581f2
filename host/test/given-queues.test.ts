/** A queue server that is given (`SQS_ENDPOINT`), which nobody starts again but whoever runs it. */
import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../ports.ts";
import { startShop, type Shop } from "./support/shop.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const endings: (() => unknown)[] = [];

beforeAll(() => {
  process.env["SHOP_HOST"] = "serve";
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, 60_000);

/** The server as it comes, in a process of its own: without any queue. @returns what kills it */
async function startEmptyServer(port: number): Promise<() => Promise<void>> {
  const source = `import { buildApp } from "fauxqs";
    await buildApp({ logger: false }).listen({ port: ${port}, host: "127.0.0.1" });
    process.send("listening");`;
  const server = spawn(join(ROOT, "node_modules", ".bin", "node"), ["--input-type=module", "--eval", source], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const gone = once(server, "exit");
  const kill = async (): Promise<void> => {
    server.kill("SIGKILL");
    await gone;
  };
  endings.push(kill);
  await once(server, "message");
  return kill;
}

const post = (shop: Shop, path: string): Promise<Response> => fetch(shop.url + path, { method: "POST" });

async function isPaid(shop: Shop, path: string): Promise<boolean> {
  return (await (await fetch(shop.url + path)).text()).includes('"state":"paid"');
}

test("a given queue server is killed and comes back empty: its queues are made again, and open checkouts are paid", async () => {
  const [port = 0] = await freePorts(1);
  let kill = await startEmptyServer(port);
  const shop = await startShop({
    environment: { SAGA: "events", SQS_ENDPOINT: `http://127.0.0.1:${port}`, RESEND_MS: "500" },
  });
  endings.push(() => shop.stop());
  const further = await shop.addHost();
  endings.push(() => further.stop());
  for (const path of ["/stock/batch_init/1/100/1", "/payment/batch_init/1/100", "/orders/batch_init/2/1/1/1"])
    expect((await post(shop, path)).status).toBe(200);

  for (const host of [shop, further]) {
    await kill();
    const path = `/orders/checkout/${host === shop ? 0 : 1}`;
    expect((await post(host, path)).status).toBe(202);
    kill = await startEmptyServer(port);
    while (!(await isPaid(host, path))) await sleep(50);
  }
  expect(shop.stderr().match(/made again/g)).toHaveLength(2);
  expect(further.stderr()).not.toContain("made again");
}, 120_000);
