import { describe, expect, test } from "@jest/globals";
import { LogDamageError } from "../../src/index.ts";
import { closeFrame } from "../../src/format/frame.ts";
import {
  checksum,
  checksumOf,
  eachChange,
  encodeBody,
  encodeLine,
  encodeNotes,
  fieldsOf,
  isIntact,
  keysOf,
  parseRecord,
  positionOf,
  processOf,
  timeOf,
  txOf,
} from "../../src/format/record.ts";

const AT = "2026-01-31T12:00:00.000Z";
const body = encodeBody(AT, "abc-7", `"op":"book"`, new Map([["seats", "3"]]));
const text = encodeLine({ epoch: 2, n: 14, body });
const line = Buffer.from(text);
const withChecksum = (covered: string): Buffer => Buffer.from(`${covered},"crc":"${checksum(covered)}"}`);

describe("what a line tells by its first bytes", () => {
  test("its place, its time and its transaction", () => {
    expect(positionOf(line)).toEqual({ epoch: 2, n: 14 });
    expect(timeOf(line)).toBe(Date.parse(AT));
    expect(txOf(line)).toBe("abc-7");
    expect(processOf(body)).toBe("abc");
  });

  test("numbers of many digits, too", () => {
    const later = Buffer.from(encodeLine({ epoch: 120, n: 1_234_567, body }));
    expect(positionOf(later)).toEqual({ epoch: 120, n: 1_234_567 });
    expect(txOf(later)).toBe("abc-7");
  });

  test("nothing, where it is no record", () => {
    const none = Buffer.from(`{"snapshot":1}`);
    expect(positionOf(none)).toBeNull();
    expect(timeOf(none)).toBeNaN();
    expect(txOf(none)).toBeNull();
    expect(checksumOf(none)).toBeNull();
    expect(processOf(`"op":"book"`)).toBe("");
  });

  test("a transaction is named after the time, and by no value: a snapshot's line names none", () => {
    expect(
      txOf(Buffer.from(encodeLine({ epoch: 2, n: 14, body: `"at":"${AT}","set":{"k":{"id":1,"tx":"other"}}` }))),
    ).toBeNull();
  });

  test("a place stands at its beginning, and nowhere else", () => {
    expect(positionOf(Buffer.from(` ${text}`))).toBeNull();
    expect(txOf(Buffer.from(` ${text}`))).toBeNull();
    expect(isIntact(withChecksum(`{"note":{"epoch":1,"n":1,"x":1}`))).toBe(false);
    expect(processOf(` ${body}`)).toBe("");
  });
});

test("a checksum stands at the end, and nowhere else", () => {
  expect(isIntact(line)).toBe(true);
  expect(checksumOf(line)).toBe(checksum(text.slice(0, text.lastIndexOf(`,"crc"`))));
  expect(checksumOf(Buffer.from(`${text} `))).toBeNull();
  expect(isIntact(Buffer.from(`${text} `))).toBe(false);
});

test("a line is intact if its checksum is that of all before it", () => {
  expect(isIntact(Buffer.from(text.replace("3", "4")))).toBe(false);
  expect(isIntact(Buffer.from(text.replace(`"n":14`, `"n":15`)))).toBe(false);
});

test("the line that ends a frame, of however many lines, is a record like the others", () => {
  for (const count of [1, 9, 10, 123]) {
    const framed = closeFrame(Array.from({ length: count }, () => text));
    const ending = framed.subarray(framed.lastIndexOf("\n", -2) + 1, -1);
    expect(ending.toString()).toMatch(new RegExp(`"frame":{"lines":${count},`));
    expect(isIntact(ending)).toBe(true);
    expect(checksumOf(ending)).toBe(checksumOf(line));
  }
});

test("where all keys stay, nothing is said of ends", () => {
  expect(encodeBody(AT, "abc-7", `"op":"book"`, new Map([["seats", "3"]]), new Map())).toBe(body);
  expect(encodeBody(AT, "abc-7", `"op":"book"`, new Map([["seats", "3"]]), new Map([["seats", 7]]))).toBe(
    `${body},"ends":{"seats":7}`,
  );
});

test("a line that sets nothing has no image to visit", () => {
  const visited: string[] = [];
  eachChange(Buffer.from(`{"epoch":1,"n":1,"at":"${AT}","note":{"k":1}}`), "segment-1", (key) => visited.push(key));
  expect(visited).toEqual([]);
});

test("a note under a name that the log uses is refused by that name", () => {
  for (const name of ["epoch", "n", "at", "tx", "set", "fields", "ends", "crc", "frame", "toJSON"])
    expect(() => encodeNotes({ [name]: 1 })).toThrow(new TypeError(`"${name}" cannot be noted in a record`));
});

test("the keys that an entry writes are its author's images, else what its body says", () => {
  expect([...keysOf({ body, images: new Map([["own", 1]]) })]).toEqual(["own"]);
  expect([...keysOf({ body })]).toEqual(["seats"]);
});

describe("a record with fields of hashes, and with ends", () => {
  const hashes = new Map([["car:1", new Map([["seats", "3"]])]]);
  const images = new Map([["n", "1"]]);
  const visits = (members: string): unknown[] => {
    const seen: unknown[] = [];
    eachChange(Buffer.from(`{"epoch":1,"n":1,${members}}`), "f", (key, change, at, end) => {
      seen.push([key, change instanceof Map ? Object.fromEntries(change) : change, at, end]);
    });
    return seen;
  };

  test("writes each key once, whether it ends or stays", () => {
    const both = encodeBody(AT, "abc-7", "", images, new Map([["n", 5]]), hashes);
    expect([...keysOf({ body: both })]).toEqual(["n", "car:1"]);
    expect(visits(both)).toEqual([
      ["n", "1", Date.parse(AT), 5],
      ["car:1", { seats: "3" }, Date.parse(AT), null],
    ]);
    const staying = encodeBody(AT, "abc-7", "", images, undefined, hashes);
    expect(visits(staying)).toEqual([
      ["n", "1", Date.parse(AT), null],
      ["car:1", { seats: "3" }, Date.parse(AT), null],
    ]);
  });

  test("has no such member where no hash changes", () => {
    expect(encodeBody(AT, "abc-7", "", images, new Map(), new Map())).toBe(encodeBody(AT, "abc-7", "", images));
  });

  test("may have a note called fields in the first format, before what it sets: that is no hash", () => {
    const noted = `"at":"${AT}","tx":"abc-7","fields":{"car:1":{"seats":"3"}},"set":{"n":1}`;
    expect([...keysOf({ body: noted })]).toEqual(["n"]);
    expect(visits(noted)).toEqual([["n", "1", Date.parse(AT), null]]);
    expect(fieldsOf(parseRecord(Buffer.from(`{"epoch":1,"n":1,${noted}}`), "f"))).toEqual({});
    const changed = encodeBody(AT, "abc-7", "", images, undefined, hashes);
    expect(fieldsOf(parseRecord(Buffer.from(`{"epoch":1,"n":1,${changed}}`), "f"))).toEqual({ "car:1": { seats: 3 } });
    expect(fieldsOf(parseRecord(line, "f"))).toEqual({});
  });
});

test("a line with a good checksum that is no record is damage, with its file", () => {
  const bad = withChecksum(`{"epoch":1,"n":1,"at":"${AT}","tx":"a-1","set":{"k":1`);
  expect(() => parseRecord(bad, "segment-1")).toThrow(
    new LogDamageError("segment-1", 0, "a record with a good checksum is not JSON"),
  );
  expect(() => eachChange(Buffer.from(`{"set":`), "segment-1", () => undefined)).toThrow(
    new LogDamageError("segment-1", 0, "a record with a good checksum is not as records are"),
  );
});
