/** The console of a deployed shop: `npx shoplog console`, with the logs in S3 and nothing else of the shop at hand. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildApp } from "fauxqs";
import { createS3Store, openS3Store } from "log-replay/s3";
import { copyLog } from "log-replay/tools";
import { credentials, newBucket, REGION } from "../../layers/log-replay/test/support/s3-server.ts";
import type { AuditReport } from "../server/audit.ts";
import type { Now } from "../server/shop-view.ts";
import type { Story } from "../server/story.ts";
import { MadeShop, SERVICES } from "./support/logs.ts";
import { eventually } from "./support/opened.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const s3 = buildApp({ logger: false });
let shop: MadeShop;
let program: ChildProcess;
let url: string;

beforeAll(async () => {
  await s3.listen({ port: 0, host: "127.0.0.1" });
  process.env["S3_ENDPOINT"] = `http://127.0.0.1:${(s3.server.address() as AddressInfo).port}`;
  const { bucket, endpoint } = await newBucket();
  shop = await MadeShop.create();
  for (let i = 0; i < 60; i++) shop.checkout();
  await shop.flush();
  for (const service of SERVICES) {
    const place = { endpoint, bucket, region: REGION, credentials, prefix: `${service}/` };
    await copyLog(shop.logs[service].store, async () => {
      await createS3Store(place);
      return openS3Store(place);
    });
  }
  program = spawn(process.execPath, [join(ROOT, "tools", "shoplog.mjs"), "console", "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      NODE_OPTIONS: "",
      DATA_DIR: join(shop.folder, "not-there"),
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      ...Object.fromEntries(SERVICES.map((service) => [`LOG_BUCKET_${service.toUpperCase()}`, bucket])),
    },
  });
  const [line] = (await once(createInterface({ input: program.stdout as NodeJS.ReadableStream }), "line")) as [string];
  url = /http:\S+/.exec(line)?.[0] ?? line;
}, 60_000);
afterAll(async () => {
  program.kill();
  if (program.exitCode === null) await once(program, "exit");
  await s3.close();
  shop.remove();
});

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${url}api/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

test("it has all records, every checkout's story, any earlier state, and the audit", async () => {
  const { services, queues } = await eventually(async () => {
    const now = await get<Now>("now");
    expect(now.services.map(({ last }) => last)).toEqual(SERVICES.map((service) => shop.logs[service].n));
    return now;
  }, 30_000);
  expect(services.map(({ problem }) => problem)).toEqual([null, null, null]);
  expect(queues).toBeNull();
  const [, , third] = shop.checkouts;
  const { records } = await get<Story>(`saga/${third?.id}`);
  expect(records.map(({ record }) => record["op"])).toEqual(["checkout", "reserve", "charge", "saga_paid"]);
  const { rows } = await get<{ rows: { key: string; value: unknown }[] }>("state/stock?at=1&prefix=item:3");
  expect(rows).toEqual([expect.objectContaining({ key: "item:3", value: expect.objectContaining({ stock: 1e9 }) })]);
  await eventually(async () => expect((await get<AuditReport>("audit")).result?.violations).toEqual([]), 30_000);
});
