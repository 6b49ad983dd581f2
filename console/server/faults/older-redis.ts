/**
 * Puts the whole state of a Redis back to what it was a while ago, within the same process: as a fail-over to a replica that
 * lags, and back, does it, or an operator with an old dump.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** All keys of one instant, each with its dump. */
const DUMP_ALL = `
local all = {}
for _, key in ipairs(redis.call("KEYS", "*")) do
  all[#all + 1] = key
  all[#all + 1] = redis.call("DUMP", key)
end
return all`;

/** @param milliseconds how far back @returns what was done, for a person */
export async function putOlderBack(url: string, milliseconds: number): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    const dumps = (await redis.callBuffer("EVAL", DUMP_ALL, 0)) as Buffer[];
    await sleep(milliseconds);
    const back = redis.multi().flushdb();
    for (let i = 0; i < dumps.length; i += 2) back.restore(dumps[i] as Buffer, 0, dumps[i + 1] as Buffer);
    await back.exec();
    return `the state of ${milliseconds / 1_000} s ago is back, ${dumps.length / 2} keys, in the same process`;
  } finally {
    redis.disconnect();
  }
}
