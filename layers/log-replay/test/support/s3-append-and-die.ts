/** Appends the frame of argument 5 to a segment of its own in epoch ARGV[4] of a store in S3, and is killed. */
import { openS3Store } from "../../src/stores/s3/index.ts";
import { credentials, REGION } from "./s3-server.ts";

const [endpoint, bucket, prefix, epoch, frame] = process.argv.slice(2) as [string, string, string, string, string];
const store = await openS3Store({ endpoint, bucket, prefix, region: REGION, credentials });
await store.createSegment(Number(epoch)).append(Buffer.from(frame, "base64"));
process.kill(process.pid, "SIGKILL");
