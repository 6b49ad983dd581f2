import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { FieldChanges } from "../../src/format/change.ts";
import { encodeFrame, readFrames, type Torn } from "../../src/format/frame.ts";
import {
  checksum,
  checksumOf,
  eachChange,
  encodeBody,
  encodeLine,
  encodeNotes,
  isIntact,
  keysOf,
  parseRecord,
  positionOf,
} from "../../src/format/record.ts";

/** Names that a careless reader takes for the log's own syntax. */
const NASTY = [
  "frame",
  "crc",
  "set",
  "__proto__",
  "constructor",
  "1",
  "",
  '"',
  "\\",
  '","crc":"00000000"}',
  '"set":{',
  "\n",
  "\u2028",
  "\u0000",
  "🦊",
  "é",
  '"frame":{"lines":1,"bytes":1,"crc":"00000000"}}',
];
const text = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));
/** JSON.parse of Node 24 takes names like "\n" for "\\" once it has met that one (nodejs/node#63785): it must not meet it. */
const aName = text.filter((one) => one !== "\\");
const aValue = fc
  .oneof(fc.jsonValue({ stringUnit: "grapheme" }), text, fc.dictionary(aName, text))
  .filter((json) => json !== null && !JSON.stringify(json).includes('"\\\\":'));
const images = fc
  .dictionary(aName, fc.option(aValue), { maxKeys: 8 })
  .map(
    (set) =>
      new Map(Object.entries(set).map(([key, json]) => [key, json === null ? null : JSON.stringify(json)] as const)),
  );
const hashes = fc.dictionary(aName, fc.dictionary(aName, fc.option(aValue), { maxKeys: 4 }), { maxKeys: 3 }).map(
  (all) =>
    new Map(
      Object.entries(all).map(([key, fields]) => {
        const texts = Object.entries(fields).map(([name, json]) => [name, json === null ? null : JSON.stringify(json)]);
        return [key, new Map(texts as [string, string | null][])] as const;
      }),
    ),
);
const RESERVED = ["epoch", "n", "at", "tx", "set", "fields", "ends", "crc", "frame", "toJSON"];
const notes = fc.dictionary(
  aName.filter((one) => !RESERVED.includes(one)),
  aValue,
  { maxKeys: 3 },
);
const AT = "2026-01-31T12:00:00.123Z";
const body = fc
  .record({ notes, images, hashes, lives: fc.array(fc.option(fc.maxSafeInteger()), { minLength: 8, maxLength: 8 }) })
  .map(({ lives, ...parts }) => {
    const ends = new Map<string, number>();
    const keys = new Set([...parts.images.keys(), ...parts.hashes.keys()]);
    [...keys].forEach((key, i) => (lives[i] ?? null) !== null && ends.set(key, lives[i] as number));
    return { ...parts, ends, body: encodeBody(AT, "p-1", encodeNotes(parts.notes), parts.images, ends, parts.hashes) };
  });
const entries = fc
  .array(body, { minLength: 1, maxLength: 5 })
  .map((bodies) => bodies.map((one, i) => ({ epoch: 3, n: 41 + i, body: one.body })));

test("a record is one line of JSON that gives back its place, its notes and every key, whatever they contain", () => {
  fc.assert(
    fc.property(body, fc.nat(), fc.nat(), (one, epoch, n) => {
      const line = Buffer.from(encodeLine({ epoch, n, body: one.body }));
      expect(line.includes(10)).toBe(false);
      const record = parseRecord(line, "file");
      expect(record).toMatchObject({ epoch, n, at: AT, tx: "p-1" });
      const written = new Map(
        Object.entries(record.set).map(([key, json]) => [key, json === null ? null : JSON.stringify(json)]),
      );
      expect(new Map([...written].sort())).toEqual(
        new Map(
          [...one.images]
            .map(([key, image]) => [key, image === null ? null : JSON.stringify(JSON.parse(image))] as const)
            .sort(),
        ),
      );
      for (const [name, note] of Object.entries(one.notes))
        expect(record[name]).toEqual(JSON.parse(JSON.stringify(note)));
      expect(positionOf(line)).toEqual({ epoch, n });
      expect(isIntact(line)).toBe(true);
    }),
  );
});

test("a replay takes each key's image, and each field's, byte for byte as it was written, with the record's time and the key's end", () => {
  fc.assert(
    fc.property(body, (one) => {
      const seen = new Map<string, string | null>();
      const hashed = new Map<string, FieldChanges>();
      const ends = new Map<string, number>();
      eachChange(Buffer.from(encodeLine({ epoch: 1, n: 1, body: one.body })), "file", (key, change, at, end) => {
        expect(at).toBe(Date.parse(AT));
        if (typeof change === "object" && change !== null) hashed.set(key, change);
        else {
          // What is set comes first.
          expect(hashed.size).toBe(0);
          seen.set(key, change);
        }
        if (end !== null) ends.set(key, end);
      });
      expect(seen).toEqual(one.images);
      expect(hashed).toEqual(one.hashes);
      expect(ends).toEqual(one.ends);
      expect(new Set(keysOf({ body: one.body }))).toEqual(new Set([...one.images.keys(), ...one.hashes.keys()]));
    }),
  );
});

test("a line's checksum is the CRC-32 of gzip over all that stands before it", () => {
  expect(checksum("123456789")).toBe("cbf43926");
  const line = Buffer.from(encodeLine({ epoch: 1, n: 2, body: `"at":"${AT}","tx":"t","set":{}` }));
  expect(line.toString()).toBe(`{"epoch":1,"n":2,"at":"${AT}","tx":"t","set":{},"crc":"${checksumOf(line)}"}`);
  expect(checksumOf(line)).toBe(checksum(line.subarray(0, line.length - `,"crc":"00000000"}`.length)));
});

test("a note cannot take the place of a member that the log writes itself", () => {
  for (const name of RESERVED) expect(() => encodeNotes({ [name]: 1 })).toThrow(TypeError);
});

test("a note of the first format that is called as the ends are is none; what is no instant is damage", () => {
  const lineOf = (members: string) => Buffer.from(encodeLine({ epoch: 1, n: 1, body: members }));
  const seen: unknown[] = [];
  const visit = (...image: unknown[]): void => void seen.push(image);
  eachChange(lineOf(`"at":"${AT}","tx":"t","ends":{"a":7},"set":{"a":1}`), "file", visit);
  expect(seen).toEqual([["a", "1", Date.parse(AT), null]]);
  for (const bad of ['{"a":"x"}', '{"a":1.5}', '{"a":1e30}', '{"a":'])
    expect(() => eachChange(lineOf(`"at":"${AT}","tx":"t","set":{"a":1},"ends":${bad}`), "file", visit)).toThrow(
      "not as records are",
    );
});

test("notes are the own members of whatever object holds them, those that have no JSON form left out", () => {
  const recorded = (meta: object): unknown =>
    JSON.parse(`{${encodeBody(AT, "t", encodeNotes(meta as Record<string, unknown>), new Map([["a", "1"]]))}}`);
  const bare = { at: AT, tx: "t", set: { a: 1 } };
  for (const empty of [{}, new Date(), { left: undefined, out: () => 1 }]) expect(recorded(empty)).toEqual(bare);
  expect(recorded(["x", "y"])).toEqual({ ...bare, 0: "x", 1: "y" });
});

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield Buffer.from(bytes.subarray(i, i + size));
}

async function readAll(bytes: Buffer, size: number): Promise<{ lines: string[]; torn: Torn | null }> {
  const lines: string[] = [];
  const frames = readFrames(inChunks(bytes, size), "file");
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return { lines, torn: value.torn };
    lines.push(...value.lines.map(({ line }) => line.toString()));
  }
}

test("frames give back their lines in order, in chunks of any size", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entries, { maxLength: 4 }), fc.integer({ min: 1, max: 400 }), async (frames, size) => {
      const bytes = Buffer.concat(frames.map(encodeFrame));
      const read = await readAll(bytes, size);
      expect(read.torn).toBeNull();
      expect(read.lines.map((line) => positionOf(Buffer.from(line))?.n)).toEqual(frames.flat().map(({ n }) => n));
      expect(read.lines.every((line) => isIntact(Buffer.from(line)))).toBe(true);
      expect(read).toEqual(await readAll(bytes, Math.max(1, bytes.length)));
    }),
    { numRuns: 60 },
  );
});
