import { expect, test } from "@jest/globals";
import middy from "@middy/core";
import { RestoringError, StoreMismatchError, type LoggedRedis } from "../src/index.ts";
import { restoreState } from "../src/middleware.ts";
import { processWide } from "../src/process-wide.ts";
import { add, listener, outcome, stage, until, waits } from "./support/stage.ts";
import { door, tampered, type Tampering } from "./support/tampered-store.ts";

const on = stage();
const context = (time = 5_000) => {
  const end = performance.now() + time;
  return { getRemainingTimeInMillis: () => end - performance.now() };
};

function handler(state: () => Promise<LoggedRedis>, options = {}) {
  const run = middy()
    .use(restoreState({ state, ...options }))
    .handler(async () => (await (await state()).occ.read(["n"]))[0]);
  return (given: object = context()) => run({}, given as never) as Promise<unknown>;
}

test("a cold start restores before the handler runs", async () => {
  const store = await on.store();
  const first = on.open({ store });
  await first.occ.transact(["n"], add("n", 7));
  await on.outside.flushall();
  const events = listener();
  const state = on.open({ store: await on.store(store.folder), onEvent: events.onEvent });
  const order: string[] = [];
  const run = middy()
    .use(restoreState({ state: async () => state }))
    .handler(async () => order.push(`handler after ${events.count("restored")} restore`));
  await run({}, context() as never);
  expect(order).toEqual(["handler after 1 restore"]);
  expect(await handler(async () => state)()).toBe(7);
});

test("a cold start while another process restores waits for it", async () => {
  const store = await on.store();
  const stop = door();
  const restoring = on.open({ store: tampered(store, { beforeBegin: stop.reach }) });
  const ready = restoring.ready();
  await stop.reached;
  const events = listener();
  const state = on.open({ store: await on.store(store.folder), onEvent: events.onEvent });
  const answer = handler(async () => state)();
  await new Promise((resolve) => setTimeout(resolve, 200));
  stop.open();
  await ready;
  expect(await answer).toBeNull();
  expect(events.events).toEqual([]);
});

test("when the time is up the invocation ends with RestoringError, and leaves its own time for the answer", async () => {
  const store = await on.store();
  const stop = door();
  const state = on.open({ store: tampered(store, { beforeBegin: stop.reach }) });
  on.after(stop.open);
  const run = handler(async () => state, { timeout: 60_000, reserve: 3_000 });
  const invocation = context(3_300);
  expect(await outcome(run(invocation))).toBeInstanceOf(RestoringError);
  expect(invocation.getRemainingTimeInMillis()).toBeGreaterThan(0);
  expect(await outcome(run(context(3_000)))).toMatchObject({ code: "restoring", retryable: true });
  expect(await outcome(handler(async () => state, { timeout: 50 })({}))).toBeInstanceOf(RestoringError);
});

test("in a process that has worked before, a transaction and a read during a restore end with RestoringError once their patience is over; the restore goes on", async () => {
  const store = await on.store();
  const state = on.open({ store, restorePatience: 150 });
  await state.occ.transact(["n"], add("n", 7));
  // Somebody else restores, for a while.
  await on.outside.flushall();
  await on.outside.set("log:lock", "somebody else", "PX", 60_000);
  for (const use of [state.occ.read(["n"]), state.occ.transact(["n"], add("n"))])
    expect(await outcome(use)).toBeInstanceOf(RestoringError);
  expect(await on.outside.get("log:lock")).toBe("somebody else");
  await on.outside.del("log:lock");
  await until(async () => (await on.outside.get("log:guard")) !== null);
  expect(await state.occ.read(["n"])).toEqual([7]);
});

test("a start waits for a restore that takes longer than that, as long as it can", async () => {
  const store = await on.store();
  await on.outside.set("log:lock", "somebody else", "PX", 600);
  const state = on.open({ store, restorePatience: 50 });
  await state.ready({ timeout: 10_000 });
  await on.outside.flushall();
  await on.outside.set("log:lock", "somebody else", "PX", 10_000);
  expect(await outcome(on.open({ store, restorePatience: 50 }).ready({ timeout: 200 }))).toBeInstanceOf(RestoringError);
});

test("where processes are stopped after their answer, the one that restores answers only once it has; one that waits answers at once", async () => {
  const { folder } = await on.store();
  const [stop, events] = [door(), listener()];
  const opened = { restorePatience: 50, onEvent: events.onEvent };
  const restoring = on.open({ store: tampered(await on.store(folder), { beforeBegin: stop.reach }), ...opened });
  const waiting = on.open({ store: await on.store(folder), restorePatience: 50 });
  const options = { timeout: 50, finish: true };
  const answer = outcome(handler(async () => restoring, options)(context(60_000)));
  await stop.reached;
  expect(await outcome(handler(async () => waiting, options)(context(60_000)))).toBeInstanceOf(RestoringError);
  expect(await waits(answer, 300)).toBe(true);
  stop.open();
  expect(await answer).toBeInstanceOf(RestoringError);
  expect(events.count("restored")).toBe(1);
});

test.each<[string, () => unknown]>([
  ["an answer", () => "answered"],
  ["another error", () => Promise.reject(new Error("another"))],
])(
  "where processes are stopped after their answer, one that restores gives %s only once it has, too",
  async (_what, end) => {
    const [stop, tampering] = [door(), {} as Tampering];
    const state = on.open({ store: tampered(await on.store(), tampering), restorePatience: 50 });
    on.after(stop.open);
    await state.ready();
    tampering.beforeBegin = stop.reach;
    await on.outside.flushall();
    const run = middy()
      .use(restoreState({ state: async () => state, finish: true }))
      .handler(async () => {
        await outcome(state.occ.read(["n"]));
        return end();
      });
    const answer = outcome(run({}, context(60_000) as never));
    await stop.reached;
    expect(await waits(answer, 300)).toBe(true);
    stop.open();
    await answer;
    expect(await on.outside.exists("log:guard")).toBe(1);
  },
);

test("where processes are stopped after their answer, a restore that takes too long leaves the invocation its time for the answer", async () => {
  const stop = door();
  const state = on.open({ store: tampered(await on.store(), { beforeBegin: stop.reach }), restorePatience: 50 });
  on.after(stop.open);
  const invocation = context(3_300);
  const run = handler(async () => state, { timeout: 50, reserve: 3_000, finish: true });
  expect(await outcome(run(invocation))).toBeInstanceOf(RestoringError);
  expect(invocation.getRemainingTimeInMillis()).toBeGreaterThan(0);
});

test("while Redis is away the invocation ends with RestoringError too", async () => {
  const server = await on.ownRedis();
  await server.kill();
  const state = on.open({ url: server.url, store: await on.store() });
  expect(await outcome(handler(async () => state, { timeout: 200 })())).toBeInstanceOf(RestoringError);
});

test("what waiting cannot cure is told at once", async () => {
  await on.outside.set("foreign", "1");
  const state = on.open({ store: await on.store() });
  expect(await outcome(handler(async () => state)())).toBeInstanceOf(StoreMismatchError);
});

test("later invocations cost no round trip of their own", async () => {
  const state = on.open({ store: await on.store() });
  const run = middy()
    .use(restoreState({ state: async () => state }))
    .handler(async () => "done");
  await run({}, context() as never);
  await on.outside.config("RESETSTAT");
  for (let i = 0; i < 10; i++) expect(await run({}, context() as never)).toBe("done");
  expect(await on.outside.info("commandstats")).not.toMatch(/cmdstat_(exec|mget|multi|info)/);
});

test("a process has one instance under a name, whoever asks first", async () => {
  let made = 0;
  const make = async (): Promise<object> => ({ made: ++made });
  const all = await Promise.all([processWide("one", make), processWide("one", make), processWide("one", make)]);
  expect(new Set(all).size).toBe(1);
  expect(await processWide("other", make)).not.toBe(all[0]);
  expect(made).toBe(2);
});

test("an instance that could not be made is forgotten: the next one who asks tries again", async () => {
  await expect(processWide("failing", () => Promise.reject(new Error("not yet")))).rejects.toThrow("not yet");
  await expect(
    processWide("failing", async () => {
      throw new Error("nor now");
    }),
  ).rejects.toThrow("nor now");
  expect(await processWide("failing", async () => "made")).toBe("made");
});
