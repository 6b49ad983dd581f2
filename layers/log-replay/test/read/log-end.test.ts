import { expect, test } from "@jest/globals";
import { encodeFrame } from "../../src/format/frame.ts";
import { logEnd } from "../../src/read/log-end.ts";
import { begun, entry } from "../support/logs.ts";
import { stage } from "../support/stage.ts";
import { tampered } from "../support/tampered-store.ts";

const on = stage();

test("a segment whose last frame was emptied ends with the one before", async () => {
  const store = await on.store();
  await begun(store, 1);
  const segment = store.createSegment(1);
  for (const n of [1, 2, 3]) await segment.append(encodeFrame([entry(1, n, { n })]));
  const emptied = tampered(store, {});
  emptied.segments = async (epoch) =>
    (await store.segments(epoch)).map((each) => Object.assign(each, { lastFrame: each.bytes }));
  expect(await logEnd(emptied, { epoch: 1, cut: 0, expected: 3 })).toBe(3);
  await segment.close();
});
