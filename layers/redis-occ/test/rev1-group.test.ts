import { expect, test } from "@jest/globals";
import { add, outcome, stage } from "./support/stage.ts";
const on = stage();

test("a command with too many words is the error of its own transaction", async () => {
  const occ = on.client();
  const words = Array.from({ length: 70_000 }, (_, i) => String(i));
  const [fine, long] = await Promise.all([
    outcome(occ.transact(["a"], add("a"))),
    outcome(occ.transact([], () => ({ result: 0, commands: [["sadd", "s", ...words]] }))),
  ]);
  expect(long).toBeInstanceOf(RangeError);
  expect(fine).toBe(1);
});

test("a rule that sets too many keys is the error of its own transaction", async () => {
  const occ = on.client();
  const set = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, 1]));
  const [fine, long] = await Promise.all([
    outcome(occ.transact(["a"], add("a"))),
    outcome(occ.transact([], () => ({ result: 0, set }))),
  ]);
  console.log(String(long), String(fine));
  expect(fine).toBe(1);
});
