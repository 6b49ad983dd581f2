/**
 * `npm run bench:crowd -- [PROCESSES …]`: how long a service is away, and what it asks of its store, when Redis is lost under the
 * load of many processes. Default: 25, 50 and 100. Each request to the store takes 20 ms. Files; and S3, where S3_ENDPOINT names one
 * (`npm run deploy:local` prints that of its emulator).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore } from "../../src/index.ts";
import { createS3Store } from "../../src/stores/s3/index.ts";
import { crowdLosesRedis, type Outcome } from "./crowd.ts";
import { FaultyHttp } from "./faulty-http.ts";
import { credentials, newBucket, REGION } from "./s3-server.ts";

/** Milliseconds that each request to the store takes. */
const DELAY = 20;

const given = process.argv.slice(2).map(Number);
if (!given.every((count) => Number.isInteger(count) && count > 0)) throw new TypeError("give numbers of processes");
for (const count of given.length > 0 ? given : [25, 50, 100]) {
  print(count, "files", await onFiles(count));
  if (process.env["S3_ENDPOINT"]) print(count, "S3", await onS3(count));
}

async function onFiles(count: number): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "crowd-log-"));
  try {
    await createFileStore(folder);
    return await crowdLosesRedis(count, { folder, delay: DELAY });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function onS3(count: number): Promise<Outcome> {
  const { port, bucket } = await newBucket();
  const proxy = await FaultyHttp.start(port);
  try {
    const place = { endpoint: proxy.url, bucket, prefix: "crowd/" };
    await createS3Store({ ...place, region: REGION, credentials });
    proxy.faults = () => ({ delay: DELAY });
    return await crowdLosesRedis(count, place, () => proxy.seen.length);
  } finally {
    await proxy.close();
  }
}

function print(count: number, store: string, { served, asked, epochs }: Outcome): void {
  const seconds = (at: number): string => ((served.at(at) ?? NaN) / 1_000).toFixed(1);
  process.stdout.write(
    `${String(count).padStart(3)} processes, ${store}: the first serves again after ${seconds(0)} s, half of them after ` +
      `${seconds(Math.floor(count / 2))} s, all after ${seconds(-1)} s; ${(asked / count).toFixed(1)} requests to the store a process; ` +
      `${epochs} epochs\n`,
  );
}
