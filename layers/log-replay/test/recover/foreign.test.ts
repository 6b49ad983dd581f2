import { copyFile, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { createFileStore, openFileStore, StoreMismatchError } from "../../src/index.ts";
import { add, outcome, replayed, segmentsIn, stage, stateOf } from "../support/stage.ts";
import { filled } from "../support/logs.ts";

const on = stage();

describe("what is not ours is neither wiped nor obeyed", () => {
  test("data in Redis that is of no log", async () => {
    const store = await on.store();
    await on.outside.set("somebody:else", "1");
    const error = await outcome(on.open({ store }).ready());
    expect(error).toBeInstanceOf(StoreMismatchError);
    expect(error).toMatchObject({ retryable: false });
    expect(await on.outside.get("somebody:else")).toBe("1");
    expect(await store.claims()).toEqual([]);
  });

  test("data in Redis that looks like the log's own keys and is of no log", async () => {
    const store = await on.store();
    await on.outside.set("log:2026-01-31", "someone's log");
    expect(await outcome(on.open({ store }).ready())).toBeInstanceOf(StoreMismatchError);
    expect(await on.outside.get("log:2026-01-31")).toBe("someone's log");
  });

  test("the state of another log, whole or half restored", async () => {
    const { folder } = await filled(on);
    const live = await stateOf(on.outside);
    for (const half of [false, true]) {
      if (half) await on.outside.del("log:guard");
      const wrong = on.open({ store: await on.store() });
      for (const use of [wrong.ready(), wrong.occ.read(["k:1"]), wrong.occ.transact(["k:1"], add("k:1"))])
        expect(await outcome(use)).toMatchObject({
          name: "StoreMismatchError",
          message: expect.stringMatching(
            /^Redis holds the state of log \S+, this is log \S+: give it the right .*FLUSHDB/,
          ) as unknown,
        });
      expect(await stateOf(on.outside)).toEqual(live);
    }
    expect(await replayed(on, folder, ["i:"])).toEqual(live);
  });

  test("a guard that is ahead of the store's claims: an older copy of the folder", async () => {
    const { folder, a } = await filled(on);
    const old = await on.folder();
    for (const name of ["store.json", "claim-00000001", "begin-00000001.json", ...(await segmentsIn(folder))])
      await copyFile(join(folder, name), join(old, name));
    await on.outside.flushall();
    await a.occ.transact(["k:1"], () => ({ result: 0, set: { "k:1": "newer" } }));
    const live = await stateOf(on.outside);
    const behind = on.open({ store: await openFileStore({ folder: old }) });
    for (const use of [behind.ready(), behind.occ.read(["k:1"]), behind.occ.transact(["k:1"], add("k:1"))])
      expect(await outcome(use)).toMatchObject({
        name: "StoreMismatchError",
        message: expect.stringMatching(
          /^Redis is in epoch 2, .*: give it the right log or the right Redis.*FLUSHDB/,
        ) as unknown,
      });
    // The same in a server that was started anew, where the guard is not fine anyway.
    await on.outside.set(
      "log:guard",
      ((await on.outside.get("log:guard")) ?? "").replace(/"run_id":"\w+"/, '"run_id":"before"'),
    );
    expect(await outcome(behind.ready())).toBeInstanceOf(StoreMismatchError);
    expect(await stateOf(on.outside)).toEqual(live);
    expect(await (await openFileStore({ folder: old })).claims()).toEqual([1]);
  });

  test("an empty folder mounted in the place of the log's, under a process that runs", async () => {
    const { folder, a } = await filled(on);
    const live = await stateOf(on.outside);
    await rename(folder, `${folder}.away`);
    on.after(() => rm(`${folder}.away`, { recursive: true }));
    await mkdir(folder);
    await createFileStore(folder);
    const error = await outcome(a.occ.transact(["k:1"], add("k:1"), { timeout: 500 }));
    expect(error).toBeInstanceOf(Error);
    expect((await segmentsIn(folder)).length).toBeLessThanOrEqual(1);
    expect(await readdir(folder)).not.toContain("claim-00000002");
    const changed = await stateOf(on.outside);
    expect({ ...changed, "k:1": live["k:1"] }).toEqual(live);
  });
});
