/**
 * What stands after the last whole frame. What a crash can leave there was never answered for, and goes without a word. All
 * else is damage, which says what it is.
 */
import { describe, expect, test } from "@jest/globals";
import { encodeFrame, withoutDecoration } from "../../src/format/frame.ts";
import { entry, readThrough } from "./support.ts";

const ANSWERED = "at the end, which may have been answered for";
const EDITED = "a record that is whole but for what an editor put around it (CR LF, a byte order mark)";
const MIDDLE = "a bad checksum in the middle of the log";
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const before = encodeFrame([entry(1, "one"), entry(2, "two")]);
const last = encodeFrame([entry(3, "three"), entry(4, "four"), entry(5, "five")]);

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
};
const lines = (bytes: Buffer): string[] => bytes.toString().split("\n").slice(0, -1);
const joined = (texts: readonly string[], lineEnd = "\n"): Buffer =>
  Buffer.from(texts.map((text) => text + lineEnd).join(""));

/** The damage in an end of a log whose first frame, of two lines, is whole. */
async function damageIn(rest: Buffer): Promise<readonly string[]> {
  const { frames, end, damage } = await readThrough(Buffer.concat([before, rest]), 200);
  expect(frames.map(({ offset }) => offset)).toEqual([0]);
  expect(end.torn).toEqual({ offset: before.length, bytes: rest.length });
  return damage;
}

describe("an end that no crash leaves says what is wrong with it", () => {
  test("a line is spoilt: once, whatever the frame's checksum says", async () => {
    const [, fourth = ""] = lines(last);
    expect(await damageIn(flipped(last, last.indexOf(fourth) + 40))).toEqual([`4: a bad checksum, ${ANSWERED}`]);
  });

  test("an editor or a file transfer gave the lines other ends", async () => {
    expect(await damageIn(joined(lines(last), "\r\n"))).toEqual([3, 4, 5].map((n) => `${n}: ${EDITED}, ${ANSWERED}`));
  });

  test("an editor put a byte order mark before the log", async () => {
    const { damage } = await readThrough(Buffer.concat([BYTE_ORDER_MARK, encodeFrame([entry(1, "one")])]));
    expect(damage).toEqual([`1: ${EDITED}, ${ANSWERED}`]);
  });

  test("a line is spoilt and has another end as well: it is not whole", async () => {
    const edited = joined(lines(last), "\r\n");
    expect((await damageIn(flipped(edited, 40)))[0]).toBe(`3: a bad checksum, ${ANSWERED}`);
  });

  test("each line is whole, and they are not those that the frame had", async () => {
    const [third = "", fourth = "", fifth = ""] = lines(last);
    const unfit = `5: the frame's checksum does not fit its lines, ${ANSWERED}`;
    expect(await damageIn(joined([fourth, third, fifth]))).toEqual([unfit]);
  });

  test("the frame is whole but for its last line's end", async () => {
    expect(await damageIn(flipped(last, last.length - 1))).toEqual([
      `5: a whole frame without its last line's end, ${ANSWERED}`,
    ]);
  });

  test.each([
    [`"lines":3`, `"lines":0`],
    [`"lines":3`, `"lines":2`],
    [`"lines":3`, `"lines":6`],
    [`"bytes":`, `"bytes":9`],
  ])("its trailer counts other lines or bytes than it covers (%s, %s)", async (text, other) => {
    expect(await damageIn(Buffer.from(last.toString().replace(text, other)))).toEqual([
      `5: the frame's checksum does not fit its lines, ${ANSWERED}`,
    ]);
  });

  test("the only line of its frame is whole, and another than the frame had", async () => {
    const frame = encodeFrame([entry(6, "six")]);
    const unfit = Buffer.from(frame.toString().replace(`"bytes":`, `"bytes":9`));
    const damage = `the frame's checksum does not fit its lines, ${ANSWERED}`;
    expect(await damageIn(unfit)).toEqual([`3: ${damage}`]);
    // It is told of by itself, whatever stands before it.
    const [third = "", fourth = "", fifth = ""] = lines(last);
    expect(await damageIn(Buffer.concat([joined([fourth, third, fifth]), unfit]))).toEqual([
      `5: ${MIDDLE}`,
      `6: ${damage}`,
    ]);
  });

  test("its writer went on behind a frame, so that had become durable before it was spoilt", async () => {
    const torn = encodeFrame([entry(6, "six")]).subarray(0, 40);
    const [third = "", fourth = "", fifth = ""] = lines(last);
    expect(await damageIn(Buffer.concat([joined([fourth, third, fifth]), torn]))).toEqual([`5: ${MIDDLE}`]);
    const spoilt = flipped(last, last.indexOf(fourth) + 40);
    expect(await damageIn(Buffer.concat([spoilt, torn]))).toEqual([`4: ${MIDDLE}`]);
  });
});

describe("zeros", () => {
  const long = encodeFrame(Array.from({ length: 40 }, (_, i) => entry(3 + i, "x".repeat(50))));
  /** Zeros from there to there, counted from the log's beginning as sectors are. */
  const zeroed = (from: number, to: number, bytes = long): Buffer =>
    Buffer.from(bytes).fill(0, from - before.length, to - before.length);
  const lineAt = (rest: Buffer, at: number): number => 2 + lines(rest.subarray(0, at - before.length)).length + 1;
  const spoiltAt = (rest: Buffer, at: number): string[] => [`${lineAt(rest, at)}: a bad checksum, ${ANSWERED}`];

  test("in a whole sector were never written", async () => {
    expect(await damageIn(zeroed(1024, 1536))).toEqual([]);
  });

  test.each([
    [1024, 1025],
    [1024, 1040],
    [1530, 1536],
    [1300, 1301],
  ])("in less than a sector were written, and spoilt (%d to %d)", async (from, to) => {
    const rest = zeroed(from, to);
    expect(await damageIn(rest)).toEqual(spoiltAt(rest, from));
  });

  test.each([800, 2400])("do not excuse what is spoilt in other sectors (byte %d)", async (at) => {
    const rest = zeroed(1024, 1536, flipped(long, at - before.length));
    expect(await damageIn(rest)).toEqual(spoiltAt(rest, at));
  });
});

test("a frame is torn where it breaks off, also behind a value that looks like a frame's end", async () => {
  const like = { a: 1, frame: { lines: 1, bytes: 1, crc: "00000000" } };
  const frame = encodeFrame([entry(3, like), entry(4, "four")]);
  expect(await damageIn(frame.subarray(0, -30))).toEqual([]);
});

test("what an editor puts around a line is taken off, and nothing else", () => {
  const line = Buffer.from(`{"a":"\r"}`);
  const carriageReturn = Buffer.from("\r");
  for (const decorated of [
    line,
    Buffer.concat([line, carriageReturn]),
    Buffer.concat([BYTE_ORDER_MARK, line]),
    Buffer.concat([BYTE_ORDER_MARK, line, carriageReturn]),
  ])
    expect(withoutDecoration(decorated).toString()).toBe(line.toString());
  expect(withoutDecoration(Buffer.alloc(0)).length).toBe(0);
});
