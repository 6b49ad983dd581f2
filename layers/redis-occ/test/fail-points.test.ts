import { afterEach, expect, test } from "@jest/globals";
import { FAIL_POINT_HOOK, failPoints } from "../src/fail-points.ts";

const failPoint = failPoints({ here: "plain" });
const holder = globalThis as { [FAIL_POINT_HOOK]?: unknown };

afterEach(() => {
  holder[FAIL_POINT_HOOK] = undefined;
});

test("without a hook a place does nothing, not even give something to wait for", () => {
  expect(failPoint("here")).toBeUndefined();
});

test("a hook is told the place's name, and what it throws is thrown there", async () => {
  holder[FAIL_POINT_HOOK] = (name: string) => Promise.reject(new Error(`struck ${name}`));
  await expect(failPoint("here")).rejects.toThrow("struck here");
});
