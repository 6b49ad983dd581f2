import { describe, expect, test } from "@jest/globals";
import { commitAt, parseMoment, stateAt, type Moment } from "../../src/tools/index.ts";
import { add, stage } from "../support/stage.ts";
import { twoEpochs } from "./support.ts";

const on = stage();

describe("a moment is written as", () => {
  test.each<[string, Moment]>([
    ["17", { n: 17 }],
    ["2:17", { epoch: 2, n: 17 }],
    ["2026-01-31", { time: Date.UTC(2026, 0, 31) }],
    ["2026-01-31T12:00:00Z", { time: Date.UTC(2026, 0, 31, 12) }],
    ["2026-01-31T12:00:00.5", { time: Date.UTC(2026, 0, 31, 12, 0, 0, 500) }],
    ["2026-01-31T12:00+02:00", { time: Date.UTC(2026, 0, 31, 10) }],
  ])("%s", (text, moment) => expect(parseMoment(text)).toEqual(moment));

  test.each(["", "yesterday", "-1", "2:", "2026-13-01", "1.5", "2026-01-31 12:00"])("not: %j", (text) => expect(() => parseMoment(text)).toThrow(TypeError));
});

test("the state after each commit, without a Redis", async () => {
  const { store } = await twoEpochs(on);
  const states = [{}, { n: "1" }, { n: "2" }, { n: "3" }, { n: "13" }, { n: "23" }, { m: '"x"' }];
  for (const [n, state] of states.entries()) expect(Object.fromEntries((await stateAt(store, { n })).images)).toEqual(state);
  const { images, last } = await stateAt(store);
  expect(Object.fromEntries(images)).toEqual(states[6]);
  expect(last).toMatchObject({ epoch: 2, n: 6 });
});

test("the state at a time holds every commit before the first later one", async () => {
  const store = await on.store();
  let now = 0;
  const state = on.open({ store, now: () => new Date(now) });
  for (now = 1_000; now <= 5_000; now += 1_000) await state.occ.transact(["n"], add("n"));
  expect(await commitAt(store, { time: 999 })).toBeNull();
  expect(await commitAt(store, { time: 3_000 })).toEqual({ epoch: 1, n: 3, time: 3_000 });
  expect(Object.fromEntries((await stateAt(store, { time: 3_999 })).images)).toEqual({ n: "3" });
  expect(Object.fromEntries((await stateAt(store, { time: 9_999 })).images)).toEqual({ n: "5" });
});

test("a commit that the history does not have is refused", async () => {
  const { store } = await twoEpochs(on);
  await expect(stateAt(store, { n: 7 })).rejects.toThrow("there is no commit 7: the history ends with 2:6");
  await expect(stateAt(store, { epoch: 1, n: 4 })).rejects.toThrow("commit 4 is one of epoch 2, epoch 1 does not have it");
});
