import { expect, test } from "@jest/globals";
import { add, gate, hookWith, outcome, stage, until } from "./support/stage.ts";

const on = stage();

test("scripts that were removed from the server are loaded again, and the effect is there once", async () => {
  const occ = on.client({ commit: "script" });
  await occ.transact(["n"], add("n"));
  await on.outside.script("FLUSH");
  expect(await occ.transact(["n"], add("n"))).toBe(2);
  expect(await on.json("n")).toBe(2);
});

test("attempts that run at the same time share one connection, and do not disturb each other", async () => {
  const firm = gate();
  let arrived = 0;
  const hook = hookWith({
    check: async () => {
      arrived++;
      await firm.promise;
      return true;
    },
  });
  const occ = on.client({ commit: "script", connections: 4, hook });
  const work = [0, 1, 2, 3].map((i) => occ.transactAlone([`k${i}`, "shared"], add(`k${i}`)));
  await until(() => arrived === 4);
  expect(((await on.outside.client("LIST")) as string).trim().split("\n")).toHaveLength(2);
  firm.open();
  expect(await Promise.all(work)).toEqual([1, 1, 1, 1]);
  expect(await on.calls("watch")).toBe(0);
});

test("a commit that is refused leaves the connection to those who share it", async () => {
  let bad = true;
  const hook = hookWith({
    stage() {
      if (bad) throw new Error("not today");
      return [];
    },
  });
  const occ = on.client({ commit: "script", hook });
  expect(await outcome(occ.transact(["n"], add("n")))).toEqual(new Error("not today"));
  bad = false;
  const before = await on.calls("hello");
  expect(await occ.transact(["n"], add("n"))).toBe(1);
  expect(await on.calls("hello")).toBe(before);
});

test("a command with more arguments than Lua can pass is refused before anything is run", async () => {
  const hook = hookWith({ stage: () => [["sadd", "set", ...Array.from({ length: 7_000 }, (_, i) => i)]] });
  const occ = on.client({ commit: "script", hook });
  expect(await outcome(occ.transact(["n"], add("n")))).toBeInstanceOf(RangeError);
  expect(await on.outside.exists("n", "set")).toBe(0);
});

test("10,000 keys are compared and written in one commit", async () => {
  const occ = on.client({ commit: "script" });
  const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
  for (const round of [1, 2]) {
    await occ.transactAlone(keys, (view) => ({
      result: null,
      set: Object.fromEntries(keys.map((key) => [key, (view.get<number>(key) ?? 0) + 1])),
    }));
    expect(await occ.read(["k0", "k4999", "k5000", "k9999"])).toEqual([round, round, round, round]);
  }
});

test("a key that changed and changed back is no conflict: what the rule rested on is true again", async () => {
  await on.outside.set("n", "5");
  let runs = 0;
  const hook = hookWith({
    check: async () => {
      if (runs === 0) await on.outside.set("n", "6");
      await on.outside.set("n", "5");
      return true;
    },
  });
  const occ = on.client({ commit: "script", hook });
  expect(await occ.transact(["n"], (view) => (runs++, add("n")(view)))).toBe(6);
  expect(runs).toBe(1);
});
