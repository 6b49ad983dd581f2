/** As recover/crowd.test.ts, with the log in S3: part of `npm run test:local`. */
import { expect, test } from "@jest/globals";
import { createS3Store } from "../../src/stores/s3/index.ts";
import { crowdLosesRedis } from "../support/crowd.ts";
import { FaultyHttp } from "../support/faulty-http.ts";
import { credentials, newBucket, REGION } from "../support/s3-server.ts";

const PROCESSES = 100;

test("100 processes on an S3 with 20 ms a request, Redis lost under load: few epochs, and requests linear in processes", async () => {
  const { port, bucket } = await newBucket();
  const proxy = await FaultyHttp.start(port);
  try {
    const place = { endpoint: proxy.url, bucket, prefix: "crowd/" };
    await createS3Store({ ...place, region: REGION, credentials });
    proxy.faults = () => ({ delay: 20 });
    const { asked, epochs, answered, logged } = await crowdLosesRedis(PROCESSES, place, () => proxy.seen.length);
    expect(epochs).toBeLessThanOrEqual(3);
    expect(asked).toBeLessThan(80 * PROCESSES);
    answered.forEach((orders, i) => expect(logged[i]).toEqual(expect.arrayContaining([...orders])));
    for (const orders of logged) expect(new Set(orders).size).toBe(orders.length);
  } finally {
    await proxy.close();
  }
}, 900_000);
