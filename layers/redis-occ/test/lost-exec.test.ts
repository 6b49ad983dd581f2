import { expect, test } from "@jest/globals";
import { judgeLostExec } from "../src/lost-exec.ts";

test.each([
  ["its server is gone", null, "unknown"],
  ["its marker is there", { sameHookValues: true, markerSet: true }, "ran"],
  ["its marker is not there", { sameHookValues: true, markerSet: false }, "not run"],
  ["the state is another one, and its marker is there", { sameHookValues: false, markerSet: true }, "unknown"],
  ["the state is another one, and its marker is gone", { sameHookValues: false, markerSet: false }, "unknown"],
] as const)("of an EXEC whose answer is lost, where %s", (_where, told, verdict) => {
  expect(judgeLostExec(told)).toBe(verdict);
});
