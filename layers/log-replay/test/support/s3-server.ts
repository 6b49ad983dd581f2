import { randomUUID } from "node:crypto";
import { Bucket } from "../../src/stores/s3/bucket.ts";

export const REGION = "eu-central-1";
export const credentials = () => ({ accessKeyId: "test", secretAccessKey: "test" });

export interface S3Server {
  readonly port: number;
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  readonly bucket: string;
}

/** A new bucket of the server that S3_ENDPOINT names: `npm run test:local` gives its emulator's. */
export async function newBucket(): Promise<S3Server> {
  const endpoint = process.env["S3_ENDPOINT"];
  if (!endpoint) throw new Error("S3_ENDPOINT is not set: there is no S3 to test with");
  const bucket = `logs-${randomUUID()}`;
  const body = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${REGION}</LocationConstraint></CreateBucketConfiguration>`;
  const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/s3/aws4_request, SignedHeaders=host, Signature=none`;
  const response = await fetch(`${endpoint}/${bucket}`, { method: "PUT", headers: { authorization }, body });
  if (!response.ok) throw new Error(`creating a bucket: ${response.status} ${await response.text()}`);
  return { port: Number(new URL(endpoint).port), endpoint, bucket };
}

/** A way into the server's bucket for a test that looks or interferes from outside. */
export function outside({ endpoint, bucket }: S3Server): Bucket {
  return new Bucket({ endpoint, bucket, region: REGION, credentials });
}
