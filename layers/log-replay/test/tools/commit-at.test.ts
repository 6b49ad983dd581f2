import { describe, expect, test } from "@jest/globals";
import { commitAt, parseMoment, type Moment } from "../../src/tools/index.ts";
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
    ["2026-01-31 12:00:00.123", { time: Date.UTC(2026, 0, 31, 12, 0, 0, 123) }],
    ["2026-01-31 12:00", { time: Date.UTC(2026, 0, 31, 12) }],
    ["2026-01-31 12:00:00+02:00", { time: Date.UTC(2026, 0, 31, 10) }],
    ["2026-01-31T12:00+02:00", { time: Date.UTC(2026, 0, 31, 10) }],
  ])("%s", (text, moment) => expect(parseMoment(text)).toEqual(moment));

  test.each(["", "yesterday", "-1", "2:", "2026-13-01", "1.5", "2026-01-31  12:00", "2026-01-31 12"])(
    "not: %j",
    (text) => expect(() => parseMoment(text)).toThrow(TypeError),
  );

  test.each([
    "2026-02-30",
    "2026-02-29",
    "2026-04-31T12:00:00Z",
    "2026-02-30T12:00:00+02:00",
    "2026-00-10",
    "2026-01-00",
    "2026-01-31T24:00",
    "2026-01-31 24:00",
    "2026-01-31T25:00:00Z",
    "2026-01-31T12:60:00Z",
    "2026-01-31T12:00:61Z",
    "2026-01-31T12:00:00+25:00",
  ])("not %s: there is no such time", (text) => expect(() => parseMoment(text)).toThrow(TypeError));

  test("a leap day that there is", () => expect(parseMoment("2024-02-29")).toEqual({ time: Date.UTC(2024, 1, 29) }));
});

test("a commit is found by its number, with its epoch or without", async () => {
  const { store } = await twoEpochs(on);
  expect(await commitAt(store, { n: 0 })).toBeNull();
  expect(await commitAt(store, { n: 3 })).toMatchObject({ epoch: 1, n: 3 });
  expect(await commitAt(store, { epoch: 2, n: 4 })).toMatchObject({ epoch: 2, n: 4 });
});

test("at a time: the last commit before the first later one", async () => {
  const store = await on.store();
  let now = 0;
  const state = on.open({ store, now: () => new Date(now) });
  for (now = 1_000; now <= 5_000; now += 1_000) await state.occ.transact(["n"], add("n"));
  expect(await commitAt(store, { time: 999 })).toBeNull();
  expect(await commitAt(store, { time: 3_999 })).toEqual({ epoch: 1, n: 3, time: 3_000 });
  expect(await commitAt(store, { time: Infinity })).toEqual({ epoch: 1, n: 5, time: 5_000 });
});

test("a commit that the history does not have is refused", async () => {
  const { store } = await twoEpochs(on);
  await expect(commitAt(store, { n: 7 })).rejects.toThrow("there is no commit 7: the history ends with 2:6");
  await expect(commitAt(store, { epoch: 2, n: 0 })).rejects.toThrow(
    "no epoch has a commit 0: commits count from 1, and 0 without an epoch is the state before the first one",
  );
  await expect(commitAt(await on.store(), { n: 1 })).rejects.toThrow("there is no commit 1: the history is empty");
  await expect(commitAt(store, { epoch: 1, n: 4 })).rejects.toThrow(
    "commit 4 is one of epoch 2, epoch 1 does not have it",
  );
});
