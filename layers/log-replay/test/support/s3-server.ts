import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../../redis-occ/test/support/redis.ts";
import { Bucket } from "../../src/stores/s3/bucket.ts";

/** A program that serves S3 on $GATEWAY_PORT; `npm run emulator:install` puts it there. */
const PROGRAM =
  process.env["S3_SERVER"] ||
  join(import.meta.dirname, "..", "..", "..", "..", ".emulator", "venv", "bin", "ministack");
const READY_WITHIN = 60_000;

export const REGION = "eu-central-1";
export const credentials = () => ({ accessKeyId: "test", secretAccessKey: "test" });

export interface S3Server {
  readonly port: number;
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  readonly bucket: string;
  stop(): Promise<void>;
}

/** A process of its own that speaks S3 over HTTP, with one empty bucket. */
export async function startS3(): Promise<S3Server> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "s3-server-"));
  const child = spawn(PROGRAM, {
    cwd: folder,
    env: {
      ...process.env,
      GATEWAY_PORT: String(port),
      BIND_HOST: "127.0.0.1",
      S3_DATA_DIR: join(folder, "s3"),
      LOG_LEVEL: "ERROR",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const failed = new Promise<never>((_, reject) =>
    child.once("error", (error) =>
      reject(new Error(`no S3 to test with (npm run emulator:install): ${error.message}`)),
    ),
  );
  const endpoint = `http://127.0.0.1:${port}`;
  const bucket = "logs";
  await Promise.race([createBucket(endpoint, bucket), failed]);
  return {
    port,
    endpoint,
    bucket,
    async stop() {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createBucket(endpoint: string, bucket: string): Promise<void> {
  const body = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${REGION}</LocationConstraint></CreateBucketConfiguration>`;
  const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/s3/aws4_request, SignedHeaders=host, Signature=none`;
  for (const end = Date.now() + READY_WITHIN; ;) {
    const response = await globalThis
      .fetch(`${endpoint}/${bucket}`, { method: "PUT", headers: { authorization }, body })
      .catch(() => null);
    if (response?.ok) return;
    if (response !== null) throw new Error(`creating a bucket: ${response.status} ${await response.text()}`);
    if (Date.now() > end) throw new Error("the S3 server does not answer");
    await sleep(50);
  }
}

/** A way into the server's bucket for a test that looks or interferes from outside. */
export function outside({ endpoint, bucket }: S3Server): Bucket {
  return new Bucket({ endpoint, bucket, region: REGION, credentials });
}
