/** Who is taken for dead while it restores, and who is not. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, jest, test } from "@jest/globals";
import { Connection } from "redis-occ";
import { Patience, RestoreLock } from "../../src/recover/lock.ts";
import type { LogEvent } from "../../src/index.ts";
import { Worker } from "../support/crew.ts";
import { add, stage, until } from "../support/stage.ts";

const on = stage();

describe("the patience with the holder of a lock", () => {
  /** Milliseconds, in steps of 250, that it takes until the patience with an unchanged lock is over. */
  function patienceWith(held: string, patience = new Patience(1_000)): number {
    for (let waited = 0; waited <= 10_000; waited += 250) {
      if (patience.isOverWith(held)) return waited;
      patience.waits(250);
    }
    return Infinity;
  }

  test("is over when the lock has not changed for its life", () => {
    expect(patienceWith("a:0:0")).toBe(1_000);
  });

  test("begins anew with each sign of life", () => {
    const patience = new Patience(1_000);
    for (let writes = 0; writes < 20; writes++) {
      expect(patience.isOverWith(`a:${writes}:0`)).toBe(false);
      patience.waits(900);
    }
    expect(patienceWith("a:20:0", patience)).toBe(1_000);
  });

  test("doubles with each holder that was taken for dead, up to four times as long", () => {
    expect(["b:0:1", "c:0:2", "d:0:3", "e:0:9"].map((held) => patienceWith(held))).toEqual([
      2_000, 4_000, 4_000, 4_000,
    ]);
  });

  test("a lock that is held back ends by itself", () => {
    expect(patienceWith("a:7:back")).toBe(Infinity);
  });

  test("a lock of an older version is one that nobody was taken over from", () => {
    expect(patienceWith("a:7")).toBe(1_000);
  });
});

describe("the lock", () => {
  const LOCK = "log:lock";

  async function taken(url: string, ttl: number): Promise<{ lock: RestoreLock; connection: Connection }> {
    const connection = await Connection.open({ url, roundTripTimeout: 5_000 });
    on.after(() => connection.close());
    const lock = await RestoreLock.take(connection, await RestoreLock.look(connection), ttl);
    if (lock === null) throw new Error("the lock is free, and was not taken");
    return { lock, connection };
  }

  test("is renewed at every quarter of its life, however long a round trip takes", async () => {
    let [now, beat] = [0, (): void => undefined];
    jest.spyOn(performance, "now").mockImplementation(() => now);
    jest.spyOn(globalThis, "setInterval").mockImplementation((work) => {
      beat = work;
      return setTimeout(() => undefined, 0);
    });
    try {
      const { lock } = await taken(on.redis.url, 4_000);
      for (let quarter = 1; quarter <= 4; quarter++) {
        const before = await on.outside.get(LOCK);
        now = quarter * 1_000;
        beat();
        now += 10;
        await until(async () => (await on.outside.get(LOCK)) !== before);
      }
      await lock.release();
    } finally {
      jest.restoreAllMocks();
    }
  });

  test("of a server that is full is let go of, at once or after the pause", async () => {
    const server = await on.ownRedis();
    const client = on.connect(server.url);
    for (const end of ["release", "hold back"]) {
      const { lock } = await taken(server.url, 30_000);
      await client.config("SET", "maxmemory", "1");
      await (end === "release" ? lock.release() : lock.holdBack(300));
      await client.config("SET", "maxmemory", "0");
      expect(await client.pttl(LOCK)).toBeLessThanOrEqual(300);
      await until(async () => (await client.exists(LOCK)) === 0);
    }
  });
});

describe("processes of which one restores, with the lock's default life", () => {
  const KEY = "n";

  /** Four processes that find an empty Redis, and how they end up once the one that restores was found. */
  async function restoring(
    meanwhile: (holder: Worker, all: readonly Worker[]) => Promise<void>,
  ): Promise<{ readonly claims: number; readonly answers: readonly unknown[] }> {
    const { folder } = await on.store();
    const first = on.open({ store: await on.store(folder) });
    await first.occ.transact([KEY], add(KEY));
    await first.close();
    await on.outside.flushall();
    const workers = Array.from({ length: 4 }, () => new Worker(on.redis.url, { folder, delay: 150 }));
    on.after(() => Promise.all(workers.map((worker) => worker.kill())));
    await until(() => workers.every((worker) => worker.events.length > 0), 20_000);
    const answers = Promise.all(
      workers.map((worker, id) => worker.order({ id, op: "read", keys: [KEY], timeout: 60_000 })),
    );
    const restores = ({ event }: LogEvent | { readonly event: "started" }): boolean => event === "restore started";
    await until(() => workers.some((worker) => worker.events.some(restores)), 20_000);
    await meanwhile(workers.find((worker) => worker.events.some(restores)) as Worker, workers);
    const results = (await answers).map((answer) => (answer !== null && "result" in answer ? answer.result : answer));
    return { claims: (await (await on.store(folder)).claims()).length, answers: results };
  }
  const RESTORED = Array.from({ length: 4 }, () => [1]);

  test("the machine stands still for longer than that: whoever restored goes on", async () => {
    const { claims, answers } = await restoring(async (_holder, all) => {
      all.forEach((worker) => worker.pause());
      await sleep(4_000);
      all.forEach((worker) => worker.resume());
    });
    expect(answers).toEqual(RESTORED);
    expect(claims).toBe(2);
  }, 90_000);

  test("the one that restores is stopped for longer than that: another one does it, and it claims nothing more", async () => {
    const { claims, answers } = await restoring(async (holder, all) => {
      holder.pause();
      await until(() => all.some((worker) => worker.events.some(({ event }) => event === "restored")), 30_000);
      holder.resume();
    });
    expect(answers).toEqual(RESTORED);
    expect(claims).toBe(3);
  }, 90_000);

  test("the one that restores comes to its work only now and then: it is waited for", async () => {
    const { claims, answers } = await restoring(async (holder) => {
      await holder.order({ id: -1, op: "busy", keys: [] });
    });
    expect(answers).toEqual(RESTORED);
    expect(claims).toBe(2);
  }, 90_000);
});
