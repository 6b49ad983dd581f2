import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import {
  ClosedError,
  ConnectionLostError,
  OccError,
  OutcomeUnknownError,
  ServerRefusedError,
  TimeoutError,
} from "../src/index.ts";
import { COMMIT_MODE, EXEC, READ } from "./support/commit-mode.ts";
import { add, hookWith, outcome, stage } from "./support/stage.ts";

const on = stage();

test("a deadline that passes before EXEC was sent: TimeoutError, and nothing happens later", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(READ);
  const answer = outcome(occ.transact(["n"], add("n"), { timeout: 100 }));
  const held = await caught;
  const error = await answer;
  expect(error).toBeInstanceOf(TimeoutError);
  expect(error).toMatchObject({ code: "timeout", retryable: true });
  held.pass();
  expect(await occ.transact(["other"], add("other"))).toBe(1);
  expect(await on.outside.exists("n")).toBe(0);
});

test("a deadline that passes after EXEC was sent: OutcomeUnknownError", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const answer = outcome(occ.transact(["n"], add("n"), { timeout: 100 }));
  const held = await caught;
  const error = await answer;
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect(error).toMatchObject({ code: "outcome_unknown", retryable: false });
  held.pass();
  expect(await occ.transact(["n"], add("n"))).toBe(2);
});

test("the deadline of one transaction does not touch the others of its group", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(READ);
  const hasty = outcome(occ.transact(["n"], add("n"), { timeout: 50 }));
  const patient = occ.transact(["n"], add("n"));
  const held = await caught;
  expect(await hasty).toBeInstanceOf(TimeoutError);
  held.pass();
  expect(await patient).toBe(1);
});

test("nothing listens: TimeoutError at the deadline, whose cause is the lost connection", async () => {
  const gone = await on.ownRedis();
  await gone.kill();
  const occ = on.client({ url: gone.url });
  const errors = await Promise.all([
    outcome(occ.transact(["n"], add("n"), { timeout: 200 })),
    outcome(occ.read(["n"], { timeout: 200 })),
    outcome(occ.query([["ping"]], { timeout: 200 })),
  ]);
  for (const error of errors) {
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).cause).toBeInstanceOf(ConnectionLostError);
    expect(error).toMatchObject({ retryable: true });
  }
});

test("Redis hangs: every call ends within its timeout with a retryable error, and all is well when it goes on", async () => {
  const redis = await on.ownRedis();
  const occ = on.client({ url: redis.url, roundTripTimeout: 100, timeout: 600 });
  await occ.transact(["n"], add("n"));
  redis.pause();
  const errors = await Promise.all([
    outcome(occ.transact(["n"], add("n"))),
    outcome(occ.transactAlone(["n"], add("n"))),
    outcome(occ.read(["n"])),
  ]);
  for (const error of errors) {
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).cause).toBeInstanceOf(ConnectionLostError);
  }
  redis.resume();
  expect(await occ.transact(["n"], add("n"), { timeout: 5_000 })).toBe(2);
});

test("Redis hangs with EXEC in its buffer: OutcomeUnknownError within the timeout, and all is well when it goes on", async () => {
  const redis = await on.ownRedis();
  const occ = on.client({ url: redis.url, roundTripTimeout: 100, timeout: 2_000 });
  await occ.transact(["n"], add("n"));
  const error = await outcome(
    occ.transact(["n"], (view) => {
      redis.pause();
      return add("n")(view);
    }),
  );
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  redis.resume();
  expect([2, 3]).toContain(await occ.transact(["n"], add("n"), { timeout: 5_000 }));
});

test("Redis hangs for a while: a transaction with time left takes effect exactly once", async () => {
  const redis = await on.ownRedis();
  const occ = on.client({ url: redis.url, roundTripTimeout: 100, timeout: 8_000 });
  await occ.transact(["n"], add("n"));
  let runs = 0;
  const answer = occ.transact(["n"], (view) => {
    if (runs++ === 0) {
      redis.pause();
      setTimeout(() => redis.resume(), 350);
    }
    return add("n")(view);
  });
  expect(await answer).toBe(2);
  expect(await occ.read(["n"])).toEqual([2]);
});

test("Redis is out of memory: ServerRefusedError that says so, nothing changed; reads get it too; afterwards all is well", async () => {
  const occ = on.client();
  await occ.transact(["n"], add("n"));
  await on.outside.config("SET", "maxmemory", "1");
  try {
    const error = await outcome(occ.transact(["n"], add("n")));
    expect(error).toBeInstanceOf(ServerRefusedError);
    expect(error).toMatchObject({
      code: "server_refused",
      retryable: true,
      message: expect.stringContaining("OOM") as unknown,
    });
    // Within a MULTI, Redis then refuses every command.
    expect(await outcome(occ.read(["n"]))).toBeInstanceOf(ServerRefusedError);
    expect(await on.json("n")).toBe(1);
  } finally {
    await on.outside.config("SET", "maxmemory", "0");
  }
  expect(await occ.transact(["n"], add("n"))).toBe(2);
});

test("a command that Redis refuses before EXEC undoes the whole MULTI; a script learns it only half way, and says that it does not know", async () => {
  const hook = hookWith({ stage: () => [["set", "only-a-key"]] });
  const error = await outcome(on.client({ hook }).transact(["n"], add("n")));
  expect(error).toBeInstanceOf(COMMIT_MODE === "watch" ? ServerRefusedError : OutcomeUnknownError);
  expect(await on.outside.exists("n")).toBe(COMMIT_MODE === "watch" ? 0 : 1);
});

test("a wrong password is told as what it is", async () => {
  const redis = await on.ownRedis({ args: ["--requirepass", "right"] });
  const wrong = on.client({ url: `redis://:wrong@127.0.0.1:${redis.port}` });
  const error = await outcome(wrong.transact(["n"], add("n")));
  expect(error).toBeInstanceOf(OccError);
  expect(String(error)).toMatch(/WRONGPASS/);
  const right = on.client({ url: `redis://:right@127.0.0.1:${redis.port}` });
  expect(await right.transact(["n"], add("n"))).toBe(1);
});

test("a Redis behind a Unix socket, and another database than the first, are as good", async () => {
  const folder = await mkdtemp(join(tmpdir(), "occ-"));
  const socket = join(folder, "redis.sock");
  await on.ownRedis({ args: ["--unixsocket", socket] });
  expect(await on.client({ url: `unix:${socket}` }).transact(["n"], add("n"))).toBe(1);
  expect(await on.client({ url: `${on.redis.url}/3` }).transact(["n"], add("n"))).toBe(1);
  expect(await on.outside.exists("n")).toBe(0);
  await rm(folder, { recursive: true });
});

test("close: what has not sent its EXEC ends with a ClosedError, at once, and so does what comes later", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(READ);
  const waiting = [
    outcome(occ.transact(["n"], add("n"))),
    outcome(occ.transactAlone(["n"], add("n"))),
    outcome(occ.read(["n"])),
    outcome(occ.query([["ping"]])),
  ];
  await caught;
  await occ.close();
  for (const error of await Promise.all(waiting)) {
    if (!Array.isArray(error)) expect(error).toBeInstanceOf(ClosedError);
  }
  expect(await outcome(occ.transact(["n"], add("n")))).toMatchObject({ code: "closed", retryable: false });
  expect(await outcome(occ.read(["n"]))).toBeInstanceOf(ClosedError);
});

test("close: what waits for the answer of its EXEC ends with an OutcomeUnknownError, at once", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const answer = outcome(occ.transact(["n"], add("n")));
  await caught;
  await occ.close();
  expect(await answer).toBeInstanceOf(OutcomeUnknownError);
});

test("a rule's error is the caller's own, whatever it throws", async () => {
  const occ = on.client();
  const own = { not: "even an Error" };
  const thrown = await outcome(
    occ.transact(["n"], () => {
      throw own as unknown as Error;
    }),
  );
  expect(thrown).toBe(own);
});
