import { describe, expect, test } from "@jest/globals";
import { LogDamageError } from "../../src/errors.ts";
import { encodeFrame, readFrames, type Torn } from "../../src/format/frame.ts";
import { chunks, entry } from "./support.ts";

const first = encodeFrame([entry(1, "one  @@"), entry(2, "two")]);
const middle = encodeFrame([entry(3, "three")]);
const last = encodeFrame([entry(4, "four"), entry(5, "fi ve"), entry(6, "s@x")]);

async function read(bytes: Buffer, size = 64): Promise<{ numbers: number[]; torn: Torn | null } | LogDamageError> {
  const numbers: number[] = [];
  const frames = readFrames(chunks(bytes, size), "segment");
  try {
    for (;;) {
      const { done, value } = await frames.next();
      if (done) return { numbers, torn: value.torn };
      numbers.push(...value.lines.map(({ n }) => n));
    }
  } catch (error) {
    if (error instanceof LogDamageError) return error;
    throw error;
  }
}

test.each([1, 7, 64, 1_000_000])(
  "a log cut at any byte of its last frame keeps every earlier frame and nothing of that one (chunks of %d)",
  async (size) => {
    const whole = Buffer.concat([first, middle, last]);
    const kept = first.length + middle.length;
    for (let end = kept; end < whole.length; end++) {
      const torn = end === kept ? null : { offset: kept, bytes: end - kept };
      expect(await read(whole.subarray(0, end), size)).toEqual({ numbers: [1, 2, 3], torn });
    }
  },
);

test("a log cut at any byte of its only frame is empty", async () => {
  for (let end = 1; end < last.length; end++)
    expect(await read(last.subarray(0, end))).toEqual({ numbers: [], torn: { offset: 0, bytes: end } });
});

test("a last frame with unwritten sectors is torn, whichever they are", async () => {
  const long = encodeFrame(Array.from({ length: 40 }, (_, i) => entry(4 + i, "x".repeat(50))));
  const whole = Buffer.concat([first, middle, long]);
  const kept = first.length + middle.length;
  const sectors = [...new Set(Array.from(long, (_, i) => Math.floor((kept + i) / 512)))];
  expect(sectors.length).toBeGreaterThan(8);
  for (const sector of sectors) {
    for (const count of [1, 3, sectors.length]) {
      const bytes = Buffer.from(whole);
      bytes.fill(0, Math.max(kept, sector * 512), Math.min(bytes.length, (sector + count) * 512));
      expect(await read(bytes, 300)).toEqual({ numbers: [1, 2, 3], torn: { offset: kept, bytes: long.length } });
    }
  }
});

describe("one flipped bit is damage that names file and line", () => {
  /** Every bit of every byte from `from` to `to` of the log, each in turn. */
  async function flipEach(log: Buffer, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Buffer.from(log);
        bytes[i] = (bytes[i] as number) ^ (1 << bit);
        const end = await read(bytes);
        if (!(end instanceof LogDamageError))
          throw new Error(
            `bit ${bit} of byte ${i} passed: ${JSON.stringify(end)} in ${JSON.stringify(bytes.toString("latin1"))}`,
          );
        const newlines = log.subarray(0, i).filter((byte) => byte === 10).length;
        expect(end.file).toBe("segment");
        // A spoilt line end makes one line of two.
        expect(Math.abs(end.line - (newlines + 1))).toBeLessThanOrEqual(log[i] === 10 ? 1 : 0);
      }
    }
  }

  const whole = Buffer.concat([first, middle, last]);

  test("in the first frame", () => flipEach(whole, 0, first.length));
  test("in a frame in the middle", () => flipEach(whole, first.length, first.length + middle.length));
  test("in the last frame, which is whole: it may have been answered for", () =>
    flipEach(whole, first.length + middle.length, whole.length));
  test("in the only frame", () => flipEach(middle, 0, middle.length));
  test("in a frame that a torn one follows: the writer went on, so it had been durable", async () => {
    const log = Buffer.concat([middle, last.subarray(0, 40)]);
    await flipEach(log, 0, middle.length - 1);
  });
  test("in a frame that one with unwritten sectors inside it follows, whichever they are", async () => {
    const long = encodeFrame(Array.from({ length: 20 }, (_, i) => entry(4 + i, "x".repeat(50))));
    const sectors = Math.floor((middle.length + long.length) / 512);
    expect(sectors).toBeGreaterThan(4);
    for (let sector = 1; sector <= sectors; sector++) {
      const torn = Buffer.concat([middle, long]);
      torn.fill(0, sector * 512, Math.min(torn.length, (sector + 1) * 512));
      expect(await read(torn)).toEqual({ numbers: [3], torn: { offset: middle.length, bytes: long.length } });
      await flipEach(torn, 0, middle.length - 1);
    }
  });
});

test("a missing line in the middle of a frame is damage", async () => {
  const lines = last.toString().split("\n");
  const bytes = Buffer.concat([first, Buffer.from([lines[0], ...lines.slice(2)].join("\n")), middle]);
  expect(await read(bytes)).toBeInstanceOf(LogDamageError);
});

test("a frame larger than a chunk is read whole", async () => {
  const big = encodeFrame([entry(4, "x".repeat(3_000_000)), entry(5, "y")]);
  expect(await read(Buffer.concat([first, big, encodeFrame([entry(6, "z")])]), 65_536)).toEqual({
    numbers: [1, 2, 4, 5, 6],
    torn: null,
  });
});
