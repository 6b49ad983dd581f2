import { describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { Occ } from "../src/index.ts";
import { Proxy } from "./support/proxy.ts";
import { startRedis } from "./support/redis.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";

const add = (view: { get<T>(key: string): T | null }) => {
  const n = (view.get<number>("n") ?? 0) + 1;
  return { result: n, set: { n } };
};

describe("one connection that is lost puts the others under suspicion", () => {
  test("a silent cut of all connections that are there costs one round trip's timeout, not one for each", async () => {
    const redis = await startRedis();
    const proxy = await Proxy.start(redis.port);
    const occ = new Occ({
      url: proxy.url,
      commit: COMMIT_MODE,
      connections: 6,
      roundTripTimeout: 400,
      timeout: 10_000,
    });
    try {
      // As many connections as there may be, all idle then.
      await Promise.all(Array.from({ length: 30 }, () => occ.transactAlone(["n"], add)));
      expect(proxy.swallow()).toBeGreaterThanOrEqual(COMMIT_MODE === "script" ? 1 : 4);
      expect(await occ.read(["n"])).toEqual([30]);
      expect(await occ.transact(["n"], add)).toBe(31);
      // Whoever asked that one has waited; nobody asks the others.
      expect(proxy.askedInVain).toBe(1);
    } finally {
      await occ.close();
      await proxy.close();
      await redis.stop();
    }
  });

  test("a server that was demoted is given up at its first refusal: the next connection leads to its primary", async () => {
    const [old, next] = [await startRedis(), await startRedis()];
    const proxy = await Proxy.start(old.port);
    const atOld = new Redis(old.url);
    const occ = new Occ({ url: proxy.url, commit: COMMIT_MODE, connections: 4 });
    try {
      await Promise.all(Array.from({ length: 8 }, () => occ.transactAlone(["n"], add)));
      proxy.lead(next.port);
      await atOld.replicaof("127.0.0.1", next.port);
      expect(await Promise.all(Array.from({ length: 8 }, () => occ.transactAlone(["n"], add)))).toHaveLength(8);
    } finally {
      await occ.close();
      atOld.disconnect();
      await proxy.close();
      await old.stop();
      await next.stop();
    }
  });
});
