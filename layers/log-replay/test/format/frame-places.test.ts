import { describe, expect, test } from "@jest/globals";
import { LogDamageError } from "../../src/errors.ts";
import { closeFrame, encodeFrame, readFrames, withoutTrailer } from "../../src/format/frame.ts";
import { encodeLine } from "../../src/format/record.ts";
import { chunks, entry, readThrough } from "./support.ts";

const bytesOf = (groups: readonly (readonly number[])[]): Buffer =>
  Buffer.concat(groups.map((group) => encodeFrame(group.map((n) => entry(n, "é".repeat(n * 7))))));

/** Where each line stands, by counting alone. */
function placesIn(bytes: Buffer, groups: readonly (readonly number[])[], from = { offset: 0, line: 1 }) {
  const texts = bytes.toString().split("\n");
  let { offset, line } = from;
  return groups.map((group) => ({
    offset,
    lines: group.map((n) => {
      const text = texts[line - from.line] ?? "";
      const place = { epoch: 1, n, number: line++, offset, text };
      offset += Buffer.byteLength(text) + 1;
      return place;
    }),
  }));
}

const GROUPS = [[1, 2], [3], [4, 5, 6], [7]];
const BYTES = bytesOf(GROUPS);

describe("a reader tells where things stand", () => {
  test.each([1, 64, 600, 1_000_000])(
    "each line, by its number and the bytes before it (chunks of %d)",
    async (size) => {
      const found = await readThrough(BYTES, size);
      expect(found.frames).toEqual(placesIn(BYTES, GROUPS));
      expect(found.damage).toEqual([]);
    },
  );

  test.each([64, 1_000_000])("counting on from where an earlier reader ended (chunks of %d)", async (size) => {
    const reached = { offset: 0, line: 1 };
    await readThrough(BYTES, size, reached);
    expect(reached).toEqual({ offset: BYTES.length, line: 8 });

    const more = bytesOf([[8], [9, 10]]);
    const found = await readThrough(more, size, reached);
    expect(found.frames).toEqual(placesIn(more, [[8], [9, 10]], { offset: BYTES.length, line: 8 }));
    expect(reached).toEqual({ offset: BYTES.length + more.length, line: 11 });
  });

  test("a frame of many lines is one frame", async () => {
    const group = Array.from({ length: 123 }, (_, i) => i + 1);
    const found = await readThrough(bytesOf([group]));
    expect(found.frames.map(({ lines }) => lines.map(({ n }) => n))).toEqual([group]);
  });

  test.each([65_536, 10_000_000])("a frame of some megabytes is read whole (chunks of %d)", async (size) => {
    const value = "x".repeat(3_000_000);
    const bytes = Buffer.concat([encodeFrame([entry(1, value)]), encodeFrame([entry(2, "y")])]);
    const found = await readThrough(bytes, size);
    expect(found.frames.flatMap(({ lines }) => lines.map(({ text }) => text.length))).toEqual(
      bytes
        .toString()
        .split("\n")
        .slice(0, 2)
        .map((text) => text.length),
    );
    expect(found.end.torn).toBeNull();
  });
});

describe("the last whole frame of a segment is kept, for recoveries that compare it", () => {
  test.each([1, 64, 600, 1_000_000])("whatever came before and is torn after it (chunks of %d)", async (size) => {
    for (let count = 1; count <= GROUPS.length; count++) {
      const before = bytesOf(GROUPS.slice(0, count - 1));
      const bytes = bytesOf(GROUPS.slice(count - 1, count));
      for (const torn of [0, 40, 400]) {
        const { end } = await readThrough(Buffer.concat([before, bytes, bytesOf([[8, 9]]).subarray(0, torn)]), size);
        expect(end.last).toEqual({ offset: before.length, bytes });
        expect(end.torn).toEqual(torn === 0 ? null : { offset: before.length + bytes.length, bytes: torn });
      }
    }
  });

  test("none, where there is none", async () => {
    expect((await readThrough(Buffer.alloc(0))).end).toEqual({ last: null, torn: null });
    expect((await readThrough(BYTES.subarray(0, 40))).end).toEqual({ last: null, torn: { offset: 0, bytes: 40 } });
  });

  test.each([64, 1_000_000])("without the spoilt lines before it (chunks of %d)", async (size) => {
    const bytes = Buffer.concat([bytesOf([[1, 2]]), Buffer.from("spoilt\nspoilt\n"), bytesOf([[3]])]);
    const { end, damage } = await readThrough(bytes, size);
    expect(end.last).toEqual({ offset: bytes.length - bytesOf([[3]]).length, bytes: bytesOf([[3]]) });
    expect(damage).toEqual([
      "3: a bad checksum in the middle of the log",
      "4: a bad checksum in the middle of the log",
    ]);
  });
});

describe("a reader that is told to goes on after damage", () => {
  test.each([64, 1_000_000])("and names the lines behind it rightly (chunks of %d)", async (size) => {
    const bytes = Buffer.from(BYTES);
    const [, second] = placesIn(BYTES, GROUPS);
    const at = (second?.offset ?? 0) + 30;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    const found = await readThrough(bytes, size);
    expect(found.damage).toEqual(["3: a bad checksum in the middle of the log"]);
    expect(found.frames).toEqual(placesIn(BYTES, GROUPS).filter((_, i) => i !== 1));
  });

  test("an empty line is damage too, and the frame behind it is read", async () => {
    const found = await readThrough(Buffer.concat([Buffer.from("\n"), BYTES]), 1_000_000);
    expect(found.damage).toEqual(["1: a bad checksum in the middle of the log"]);
    expect(found.frames.map(({ offset }) => offset)).toEqual(placesIn(BYTES, GROUPS).map(({ offset }) => offset + 1));
  });

  test("but not over lines that somebody framed and that are no records", async () => {
    const bytes = Buffer.concat([bytesOf([[1, 2]]), closeFrame([encodeLine(entry(3, "x")), `{"a":1}`])]);
    await expect(readThrough(bytes)).rejects.toEqual(new LogDamageError("segment", 4, "a line that is no record"));
  });

  test("who is not told to ends at the first damage", async () => {
    const reader = readFrames(chunks(Buffer.concat([Buffer.from("\n"), BYTES]), 64), "segment");
    await expect(reader.next()).rejects.toEqual(
      new LogDamageError("segment", 1, "a bad checksum in the middle of the log"),
    );
  });
});

describe("a line by itself", () => {
  const alone = encodeLine(entry(1, "é"));

  test("is what it was before a frame ended in it", () => {
    expect(withoutTrailer(closeFrame([alone]).subarray(0, -1))).toBe(alone);
    expect(withoutTrailer(Buffer.from(alone))).toBe(alone);
  });

  test("keeps a value that looks like a trailer", () => {
    const like = encodeLine(entry(1, { a: 1, frame: { lines: 1, bytes: 1, crc: "00000000" } }));
    expect(withoutTrailer(Buffer.from(like))).toBe(like);
    expect(withoutTrailer(closeFrame([like]).subarray(0, -1))).toBe(like);
  });
});
