import { expect, test } from "@jest/globals";
import { readStretch } from "../../src/read/stretch.ts";
import { append, begun, entry } from "../support/logs.ts";
import { stage } from "../support/stage.ts";
import { tampered } from "../support/tampered-store.ts";

const on = stage();

/** A log whose commits are in a segment each, and how many of them are read at the same time, after their first bytes. */
async function segmentsOneAfterTheOther(count: number) {
  const store = await on.store();
  await begun(store, 1);
  for (let n = 1; n <= count; n++) await append(store, 1, [entry(1, n, { n })]);
  const known = new Set<string>();
  const seen = { atOnce: 0, most: 0, opened: 0 };
  const slow = tampered(store, {
    async beforeRead({ name }) {
      if (!known.has(name)) return void known.add(name);
      seen.opened++;
      seen.most = Math.max(seen.most, ++seen.atOnce);
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.atOnce--;
    },
  });
  return { slow, seen };
}

test("segments that follow each other are opened ahead, since each takes round trips to a remote store; not all of them", async () => {
  const { slow, seen } = await segmentsOneAfterTheOther(50);
  const read: number[] = [];
  for await (const lines of readStretch(slow, { epoch: 1, from: 0, to: 50 })) read.push(...lines.map(({ n }) => n));
  expect(read).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(seen).toMatchObject({ opened: 50, atOnce: 0 });
  expect(seen.most).toBeGreaterThanOrEqual(32);
  expect(seen.most).toBeLessThan(40);
});

test("what was opened ahead is closed where the reading ends before it", async () => {
  const { slow, seen } = await segmentsOneAfterTheOther(50);
  for await (const lines of readStretch(slow, { epoch: 1, from: 0, to: 50 })) if (lines[0]?.n === 3) break;
  expect(seen.atOnce).toBe(0);
  expect(seen.opened).toBeLessThan(40);
});
