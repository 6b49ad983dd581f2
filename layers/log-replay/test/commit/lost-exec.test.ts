import { describe, expect, test } from "@jest/globals";
import { add, outcome, replayed, stage, stateOf } from "../support/stage.ts";
import { EXEC } from "../../../redis-occ/test/support/commit-mode.ts";
import { tampered, type Tampering } from "../support/tampered-store.ts";
import { pair } from "../support/pair.ts";

const on = stage();

describe("an EXEC that fails half way leaves half a transaction in Redis: it is not answered, and does not stay there", () => {
  test("the record did not get into the tail: undone, and the caller is told so", async () => {
    const { folder, state, other } = await pair(on);
    const guard = await on.outside.get("log:guard");
    await on.outside.set("log:tail", "not a stream");
    const error = await outcome(state.occ.transact(["n"], add("n", 100)));
    expect(error).toMatchObject({ code: "server_refused", unchanged: true });
    expect(await other.occ.read(["n"])).toEqual([1]);
    expect(await on.outside.get("log:guard")).not.toBe(guard);
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });

  test("the record is in the tail and somebody logged it: it stands, and the caller is told so", async () => {
    const { folder } = await pair(on);
    const indexed: Tampering = {};
    const state = on.open({ store: tampered(await on.store(folder), indexed), indexes: ["n"] });
    const other = on.open({ store: await on.store(folder) });
    await state.ready();
    await other.ready();
    // The index is of the wrong type: the last command of the EXEC fails, after the record's.
    await on.outside.set("log:index:n", "not a sorted set");
    const proxied = await on.proxy();
    const writer = on.open({ url: proxied.url, store: await on.store(folder), indexes: ["n"] });
    await writer.ready();
    const deleting = proxied.catchNext("del");
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    const held = await deleting;
    expect(await other.occ.read(["n"])).toEqual([101]);
    held.pass();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
    expect(await on.outside.type("log:index:n")).toBe("zset");
  });

  test("the connection breaks before the guard is deleted: the epoch is ended all the same", async () => {
    const { folder } = await pair(on);
    const proxy = await on.proxy();
    const writer = on.open({ url: proxy.url, store: await on.store(folder) });
    await writer.ready();
    await on.outside.set("log:tail", "not a stream");
    const deleting = proxy.catchNext("del");
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    (await deleting).cut();
    expect(await answer).toMatchObject({ code: "server_refused", unchanged: true });
    expect(await stateOf(on.outside)).toEqual({ n: "1" });
  });
});

describe("an EXEC whose answer is lost: whether it ran is told by Redis where it can be, else by the log", () => {
  async function cutAfterExec() {
    const { folder, other } = await pair(on);
    const proxy = await on.proxy();
    /** The epochs whose segments the writer has read. */
    const reads: number[] = [];
    const store = tampered(await on.store(folder), { beforeRead: ({ epoch }) => reads.push(epoch) });
    const writer = on.open({ url: proxy.url, store });
    await writer.ready();
    const executing = proxy.catchNext(EXEC);
    const answer = outcome(writer.occ.transact(["n"], add("n", 100)));
    const held = await executing;
    reads.length = 0;
    return { folder, other, answer, held, reads };
  }

  test("it ran and Redis still has it: it is appended, and stands", async () => {
    const { folder, held, answer } = await cutAfterExec();
    await held.deliver();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });

  test("it ran, somebody logged it, and Redis was lost: it stands", async () => {
    const { folder, other, held, answer } = await cutAfterExec();
    await held.deliver();
    expect(await other.occ.read(["n"])).toEqual([101]);
    await on.outside.flushall();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });

  test("it ran, nobody logged it, and Redis was lost: it is done again, once", async () => {
    const { folder, other, held, answer } = await cutAfterExec();
    await held.deliver();
    await on.outside.flushall();
    expect(await other.occ.transact(["n"], add("n", 10))).toBe(11);
    held.cut();
    expect(await answer).toBe(111);
    expect(await replayed(on, folder)).toEqual({ n: "111" });
  });

  test.each([
    ["as the restore tells: the log is not read for it", true],
    ["as the log tells, where the restore's word has expired", false],
  ])("somebody logged it, Redis was lost and has been restored: it stands, %s", async (_name, isTold) => {
    const { folder, other, held, answer, reads } = await cutAfterExec();
    await held.deliver();
    expect(await other.occ.read(["n"])).toEqual([101]);
    await on.outside.flushall();
    expect(await other.occ.read(["n"])).toEqual([101]);
    expect(await on.outside.pttl("log:recorded")).toBeGreaterThan(0);
    if (!isTold) await on.outside.del("log:recorded");
    held.cut();
    expect(await answer).toBe(101);
    expect(reads.includes(1)).toBe(!isTold);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });

  test("it was executed before the commits that the restore tells of: the log is read for it", async () => {
    const { folder, other, held, answer, reads } = await cutAfterExec();
    await held.deliver();
    await other.occ.transact(["n"], add("n"));
    await on.outside.flushall();
    await other.occ.read(["n"]);
    const told = JSON.parse((await on.outside.get("log:recorded")) ?? "") as { from: number; txs: string[] };
    const last = { ...told, from: told.from + told.txs.length - 1, txs: told.txs.slice(-1) };
    await on.outside.set("log:recorded", JSON.stringify(last));
    held.cut();
    expect(await answer).toBe(101);
    expect(reads).toContain(1);
    expect(await replayed(on, folder)).toEqual({ n: "102" });
  });

  test("Redis was flushed and nobody restored it yet: what was written to find out is not taken for foreign data", async () => {
    const { folder, held, answer } = await cutAfterExec();
    await held.deliver();
    await on.outside.flushall();
    held.cut();
    expect(await answer).toBe(101);
    expect(await replayed(on, folder)).toEqual({ n: "101" });
  });
});
