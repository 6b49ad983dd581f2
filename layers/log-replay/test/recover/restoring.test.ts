import { describe, expect, test } from "@jest/globals";
import { add, listener, outcome, replayed, stage, stateOf, until, waits } from "../support/stage.ts";
import { counted } from "../support/counted-store.ts";
import { door, tampered, type Tampering } from "../support/tampered-store.ts";
import { append, entry, filled } from "../support/logs.ts";

const on = stage();

describe("one process restores, the others wait; the lock is fenced", () => {
  test("ten clients on an empty Redis: one restore, and all go on", async () => {
    const { folder } = await filled(on);
    const live = await stateOf(on.outside);
    await on.outside.flushall();
    const events = listener();
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () =>
        on.open({ store: await on.store(folder), onEvent: events.onEvent, indexes: ["i:"] }),
      ),
    );
    await Promise.all(clients.map((state) => state.ready()));
    expect(events.count("restored")).toBe(1);
    expect(await stateOf(on.outside)).toEqual(live);
    await Promise.all(clients.map((state) => state.occ.transact(["c"], add("c"))));
    expect((await stateOf(on.outside))["c"]).toBe("10");
  });

  /** A restore that stops before its second chunk of the second reading. */
  async function inTheMiddle(lockTtl: number) {
    const store = await on.store();
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    await append(
      store,
      1,
      ...Array.from({ length: 5 }, (_, i) => [
        entry(1, i + 1, Object.fromEntries(Array.from({ length: 1_000 }, (_, k) => [`k:${i}:${k}`, i]))),
      ]),
    );
    const proxy = await on.proxy();
    const events = listener();
    const state = on.open({ url: proxy.url, store, lockTtl, onEvent: events.onEvent });
    const writing = proxy.catchNext("mset");
    const ready = state.ready();
    const held = await writing;
    return { store, held, ready, events, proxy };
  }

  test("a lock that expires in the middle of a restore: another one starts over, and the first writes nothing more", async () => {
    const { store, held, ready, events } = await inTheMiddle(400);
    expect(await on.outside.get("log:guard")).toBeNull();
    const others = listener();
    const other = on.open({ store: await on.store(store.folder), lockTtl: 400, onEvent: others.onEvent });
    expect(await other.occ.transact(["k:0:0"], add("k:0:0", 7))).toBe(7);
    held.pass();
    await ready;
    expect(others.count("restored")).toBe(1);
    expect(events.count("restored")).toBe(0);
    expect(await on.outside.get("k:0:0")).toBe("7");
  });

  test("a lock that is stolen in the middle of a restore: what its loser had sent is not run", async () => {
    const { store, held, ready, events } = await inTheMiddle(60_000);
    await on.outside.set("log:lock", "a thief", "PX", 300);
    held.pass();
    await ready;
    expect(events.events.filter(({ event }) => event === "restore started")).toHaveLength(2);
    expect(events.count("restored")).toBe(1);
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
  });

  test("a lock that is stolen between two chunks: its loser writes none of those that are left", async () => {
    const { store, held, ready, events, proxy } = await inTheMiddle(60_000);
    const next = proxy.catchNext("watch");
    held.pass();
    const watching = await next;
    await on.outside.set("log:lock", "a thief", "PX", 300);
    watching.pass();
    await ready;
    expect(events.events.filter(({ event }) => event === "restore started")).toHaveLength(2);
    expect(events.count("restored")).toBe(1);
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
  });

  test("a Redis that is flushed in the middle of a restore: it starts over", async () => {
    const { store, held, ready, events } = await inTheMiddle(3_000);
    await on.outside.flushall();
    held.pass();
    await ready;
    expect(events.count("restored")).toBe(1);
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
    expect(Object.keys(await stateOf(on.outside))).toHaveLength(5_000);
  });

  test("the connection breaks in the middle of a restore: it starts over with a wipe", async () => {
    const { store, held, ready } = await inTheMiddle(500);
    held.cut();
    await ready;
    expect(await replayed(on, store.folder)).toEqual(await stateOf(on.outside));
  });

  test("two recoverers at once never share an epoch, whoever has the lock", async () => {
    const { store } = await filled(on);
    // Both believe that they have the lock: the first one's is lost while it hangs before its claim.
    const tampering: Tampering = {};
    const stop = door();
    tampering.beforeClaim = stop.reach;
    await on.outside.flushall();
    const firsts = listener();
    const first = on.open({ store: tampered(store, tampering), onEvent: firsts.onEvent });
    const ready = first.ready();
    await stop.reached;
    await on.outside.del("log:lock");
    const seconds = listener();
    const second = on.open({ store: await on.store(store.folder), onEvent: seconds.onEvent });
    await second.ready();
    delete tampering.beforeClaim;
    stop.open();
    await ready;
    const epochs = [...firsts.events, ...seconds.events]
      .filter(({ event }) => event === "restore started")
      .map((event) => (event as { epoch: number }).epoch);
    expect(new Set(epochs).size).toBe(epochs.length);
    // The first finds that its epoch is taken, and does not end it.
    expect(await store.claims()).toEqual([1, 2]);
    await Promise.all([first.occ.transact(["c"], add("c")), second.occ.transact(["c"], add("c"))]);
    expect((await stateOf(on.outside))["c"]).toBe("2");
  });

  test("who waits for a restore asks the store for nothing", async () => {
    const { store } = await filled(on);
    await on.outside.flushall();
    const stop = door();
    const first = on.open({ store: tampered(store, { beforeBegin: stop.reach }) });
    const restored = first.ready();
    await stop.reached;
    const { store: asking, asked } = counted(await on.store(store.folder), 0);
    const second = on.open({ store: asking });
    const answer = second.occ.transact(["c"], add("c"));
    expect(await waits(answer, 500)).toBe(true);
    expect(asked()).toBe(0);
    stop.open();
    await restored;
    expect(await answer).toBe(1);
  });

  test("what recovery stands on is synced before the next epoch begins", async () => {
    const { store } = await filled(on);
    const order: string[] = [];
    await on.outside.flushall();
    await on
      .open({
        store: tampered(store, {
          beforeClaim: () => order.push("claim"),
          beforeRead: () => order.push("read"),
          beforeSync: (frames) => order.push(`sync ${frames.length}`),
          beforeBegin: () => order.push("begin"),
        }),
      })
      .ready();
    const names = (await store.segments(1)).length;
    // Each is opened twice: once for its first commit alone.
    expect(order.slice(0, 3 + 2 * names)).toEqual([
      "claim",
      ...Array.from({ length: 2 * names }, () => "read"),
      `sync ${names}`,
      "begin",
    ]);
  });

  test("a restore that takes long says how far it is", async () => {
    const { store } = await filled(on);
    const slow = tampered(store, { beforeRead: () => new Promise((resolve) => setTimeout(resolve, 600)) });
    await on.outside.flushall();
    const events = listener();
    await on.open({ store: slow, onEvent: events.onEvent, lockTtl: 30_000 }).ready({ timeout: 20_000 });
    expect(events.events.find(({ event }) => event === "restore progress")).toMatchObject({
      of: 60,
      records: expect.any(Number),
    });
  });

  test("close ends a restore that is under way, and the next one need not wait for its lock", async () => {
    const { store } = await filled(on);
    const tampering: Tampering = {};
    const stop = door();
    tampering.beforeBegin = stop.reach;
    await on.outside.flushall();
    const first = on.open({ store: tampered(store, tampering), lockTtl: 400 });
    const ready = outcome(first.ready());
    await stop.reached;
    const closed = first.close();
    expect(await waits(closed)).toBe(true);
    stop.open();
    await closed;
    const claims = await store.claims();
    expect(await ready).toBeInstanceOf(Error);
    expect(await store.claims()).toEqual(claims);
    const second = on.open({ store: await on.store(store.folder) });
    await second.ready();
    await until(async () => (await on.outside.get("log:guard")) !== null);
  });
});
