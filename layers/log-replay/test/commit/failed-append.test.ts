import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { OutcomeUnknownError, type TimeoutError } from "redis-occ";
import { StoreUnavailableError } from "../../src/index.ts";
import { add, outcome, records, replayed, segmentsIn, stage, until } from "../support/stage.ts";
import { door } from "../support/tampered-store.ts";
import { pair } from "../support/pair.ts";

const on = stage();

describe("a failed append is never taken for one that succeeded: the epoch is given up, and the recovery decides", () => {
  const failure = (): never => {
    throw new StoreUnavailableError("the disk failed");
  };

  test("nothing of the frame is in the log: the commits are done again in the next epoch, once each", async () => {
    const { folder, tampering, state } = await pair(on);
    tampering.beforeAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.occ.transact(["n"], add("n"))));
    expect(answers.sort()).toEqual([2, 3, 4, 5, 6]);
    expect((await records(folder)).filter(({ epoch }) => epoch === 1)).toHaveLength(1);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });

  test("no caller is told what a beginning decides before that beginning is synced: a power loss could take it back", async () => {
    const { tampering, state } = await pair(on);
    tampering.beforeAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    // The begin of the next epoch can be seen, and the sync of its folder fails: the recovery breaks off there.
    let refused = 0;
    tampering.afterBegin = failure;
    tampering.beforeSync = (segments) => (segments.length === 0 && refused++ < 3 ? failure() : undefined);
    const answer = state.occ.transact(["n"], add("n"));
    await until(() => Promise.resolve(refused > 0));
    delete tampering.afterBegin;
    expect(await answer).toBe(2);
    expect(refused).toBeGreaterThan(3);
  });

  test("the frame is in the log although its append failed: the commits stand, once each", async () => {
    const { folder, tampering, state } = await pair(on);
    tampering.afterAppend = (epoch: number) => (epoch === 1 ? failure() : undefined);
    const answers = await Promise.all(Array.from({ length: 5 }, () => state.occ.transact(["n"], add("n"))));
    expect(answers.sort()).toEqual([2, 3, 4, 5, 6]);
    expect((await records(folder)).filter(({ epoch }) => epoch === 1).length).toBeGreaterThan(1);
    expect(await replayed(on, folder)).toEqual({ n: "6" });
  });

  test("half of the frame is in the log: the recovery passes over it, and the segment is never written to again", async () => {
    const { folder, tampering, state } = await pair(on);
    const [name] = await segmentsIn(folder);
    const path = join(folder, name as string);
    const size = (await readFile(path)).length;
    let failed = false;
    tampering.afterAppend = async (epoch: number) => {
      if (epoch !== 1 || failed) return;
      // A second try would succeed, behind the half.
      failed = true;
      const bytes = await readFile(path);
      await writeFile(path, bytes.subarray(0, size + 20));
      failure();
    };
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect((await readFile(path)).length).toBe(size + 20);
    expect((await segmentsIn(folder)).filter((segment) => segment.startsWith("segment-00000002"))).toHaveLength(1);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });

  test("commits that are executed while the append fails are not answered by it either", async () => {
    const { folder, tampering, state } = await pair(on);
    const stop = door();
    tampering.beforeAppend = async (epoch: number) => {
      if (epoch !== 1) return;
      await stop.reach();
      failure();
    };
    const first = state.occ.transact(["n"], add("n"));
    await stop.reached;
    const second = state.occ.transactAlone(["n"], add("n"));
    const read = state.occ.read(["n"]);
    await until(async () => (await on.outside.get("n")) === "3");
    stop.open();
    expect((await Promise.all([first, second])).sort()).toEqual([2, 3]);
    expect([1, 2, 3]).toContain((await read)[0]);
    expect(await replayed(on, folder)).toEqual({ n: "3" });
  });

  test("while the store takes nothing at all nobody can say: the outcome is unknown, and reads go on to be refused", async () => {
    const { folder, tampering, state } = await pair(on);
    tampering.beforeAppend = failure;
    tampering.beforeClaim = failure;
    const error = await outcome(state.occ.transact(["n"], add("n", 100), { timeout: 3_000 }));
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    const read = await outcome(state.occ.read(["n"], { timeout: 3_000 }));
    expect(read).toBeInstanceOf(Error);
    expect((read as StoreUnavailableError | TimeoutError).retryable).toBe(true);
    // The disk is well again.
    delete tampering.beforeAppend;
    delete tampering.beforeClaim;
    expect(await state.occ.read(["n"])).toEqual([1]);
    expect(await state.occ.transact(["n"], add("n"))).toBe(2);
    expect(await replayed(on, folder)).toEqual({ n: "2" });
  });
});
