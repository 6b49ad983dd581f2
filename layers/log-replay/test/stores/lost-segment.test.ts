import { rename, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { add, outcome, replayed, segmentsIn, stage, until } from "../support/stage.ts";

const on = stage();

async function started() {
  const { folder } = await on.store();
  const state = on.open({ store: await on.store(folder) });
  for (let n = 1; n <= 3; n++) await state.occ.transact(["n"], add("n"));
  const [name = ""] = await segmentsIn(folder);
  return { folder, state, path: join(folder, name) };
}

test.each([
  ["renamed", (path: string) => rename(path, `${path}.1`)],
  ["removed", (path: string) => rm(path)],
])("a segment in use that is %s: its writer notices at its next append, and nothing is lost", async (_what, take) => {
  const { folder, state, path } = await started();
  await take(path);
  for (let n = 4; n <= 6; n++) expect(await state.occ.transact(["n"], add("n"))).toBe(n);
  expect(await replayed(on, folder)).toEqual({ n: "6" });
});

test("a segment that is taken from a writer with nothing to do is there again within two seconds", async () => {
  const { folder, state, path } = await started();
  await rename(path, `${path}.1`);
  await until(async () => (await segmentsIn(folder)).length > 0, 2_000);
  await on.outside.flushall();
  expect(await state.occ.read(["n"])).toEqual([3]);
});

test("a segment that is truncated under its writer: what is gone is gone, and nothing is answered without it", async () => {
  const { folder, state, path } = await started();
  await truncate(path, 0);
  expect(await outcome(state.occ.transact(["n"], add("n"), { timeout: 3_000 }))).toBeInstanceOf(Error);
  const other = on.open({ store: await on.store(folder) });
  expect(await outcome(other.occ.read(["n"], { timeout: 3_000 }))).toMatchObject({
    code: expect.stringMatching(/^log_(damaged|mismatch)$/),
  });
  expect(await on.outside.get("n")).not.toBeNull();
});
