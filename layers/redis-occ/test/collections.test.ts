import { expect, test } from "@jest/globals";
import { WrongTypeError, type View } from "../src/index.ts";
import { beforeExec, outcome, stage } from "./support/stage.ts";

const on = stage();

test("a rule reads hashes and sorted sets, declared or not, among strings", async () => {
  await on.outside.hset("cart", { apple: "2", __proto__x: "1", "": "empty" });
  await on.outside.zadd("board", 3, "cid", 1, "ann", "-inf", "low", "inf", "top");
  await on.outside.set("n", "7");
  const look = (view: View) => ({
    result: [view.get("n"), [...view.hash("cart")], [...view.sortedSet("board")], view.hash("none").size],
  });
  const expected = [
    7,
    [
      ["apple", "2"],
      ["__proto__x", "1"],
      ["", "empty"],
    ],
    [
      ["low", -Infinity],
      ["ann", 1],
      ["cid", 3],
      ["top", Infinity],
    ],
    0,
  ];
  const occ = on.client();
  expect(await occ.transact([], look)).toEqual(expected);
  expect(await occ.transact(["n", "cart", "board", "none"], look)).toEqual(expected);
});

test("a field called __proto__ is a field like others", async () => {
  await on.outside.hset("h", "__proto__", "x", "constructor", "y");
  const fields = await on.client().transact([], (view) => ({ result: [...view.hash("h")] }));
  expect(fields).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
});

test.each<[string, () => Promise<unknown>]>([
  ["another value of a field", () => on.outside.hset("cart", "apple", "3")],
  ["another field", () => on.outside.hset("cart", "pear", "1")],
  ["another member of the sorted set", () => on.outside.zadd("board", 9, "dan")],
  ["another score", () => on.outside.zincrby("board", 1, "ann")],
  ["a hash where there was none", () => on.outside.hset("none", "a", "b")],
  ["a hash that is gone", () => on.outside.del("cart")],
])("%s between the read and the write is a conflict: the rule sees it", async (_name, interfere) => {
  await on.outside.hset("cart", "apple", "2");
  await on.outside.zadd("board", 1, "ann");
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const seen: string[] = [];
  const look = (view: View) => {
    const all = JSON.stringify([[...view.hash("cart")], [...view.sortedSet("board")], [...view.hash("none")]]);
    seen.push(all);
    return { result: all, set: { copy: all } };
  };
  await occ.transact(["copy"], () => ({ result: 0, set: { copy: "" } }));
  const answer = occ.transact(["cart", "board", "none", "copy"], look);
  await beforeExec(proxy, interfere);
  expect(await answer).toBe(seen.at(-1));
  expect(seen.at(-1)).not.toBe(seen.at(-2));
  expect(await on.json("copy")).toBe(seen.at(-1));
});

test("a key of another type is a WrongTypeError, also a string", async () => {
  await on.outside.set("s", "1");
  await on.outside.hset("h", "f", "v");
  const occ = on.client();
  const errors = await Promise.all([
    outcome(occ.transact([], (view) => ({ result: view.hash("s") }))),
    outcome(occ.transact(["h"], (view) => ({ result: view.sortedSet("h") }))),
    outcome(occ.transact(["h"], (view) => ({ result: [view.hash("h"), view.get("h")] }))),
    outcome(occ.transact(["h"], (view) => ({ result: view.hash("h").size }))),
  ]);
  expect(errors[0]).toMatchObject({ key: "s", found: "string" });
  expect(errors[1]).toMatchObject({ key: "h", found: "hash" });
  expect(errors[2]).toMatchObject({ key: "h", found: "hash" });
  for (const error of errors.slice(0, 3)) expect(error).toBeInstanceOf(WrongTypeError);
  expect(errors[3]).toBe(1);
});

test("what a rule writes where a later one of the group looks for a hash is seen by it", async () => {
  const occ = on.client();
  const [, late] = await Promise.all([
    occ.transact(["k"], (view) => ({ result: view.hash("k").size, set: { k: 1 } })),
    outcome(occ.transact(["k"], (view) => ({ result: view.hash("k").size }))),
  ]);
  expect(late).toMatchObject({ code: "wrong_type", found: "string" });
});
