import { crc32 } from "node:zlib";
import { LogDamageError } from "../errors.ts";
import { encodeFields, type Change, type FieldChanges } from "./change.ts";
import { eachMember } from "./json-members.ts";

/** The place of a record in the history. Commit numbers `n` go on through all epochs. */
export interface Position {
  readonly epoch: number;
  readonly n: number;
}

/** A committed transaction on its way to the log: its place, and the JSON members that its author wrote. */
export interface Entry extends Position {
  /** JSON members without braces: `"at":…,"tx":…,…,"set":{…}`. The bytes are the same whoever appends them. */
  readonly body: string;
  /** What it writes, if its author is this process; otherwise the body tells. */
  readonly images?: ReadonlyMap<string, unknown>;
}

/** A record as it is read back. */
export interface LogRecord extends Position {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Names this transaction for ever, wherever it is appended. */
  readonly tx: string;
  /** The new value of every key that it wrote; null where it deleted one. */
  readonly set: Readonly<Record<string, unknown>>;
  /**
   * What fields of hashes became, null where one was removed; after what is set, so that null there means a hash of these
   * fields alone. Absent where none changed.
   */
  readonly fields?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** When keys among all those end, in milliseconds since 1970. The others stay. Absent where all do. */
  readonly ends?: Readonly<Record<string, number>>;
  /** Whatever else its author noted. */
  readonly [note: string]: unknown;
}

/** Notes must not use these names: the log itself writes members with them, or they would change what the notes are. */
const RESERVED = new Set(["epoch", "n", "at", "tx", "set", "fields", "ends", "crc", "frame", "toJSON"]);

/**
 * Notes as JSON members without braces. @throws TypeError for a reserved name, and for a value that has no JSON form
 */
export function encodeNotes(notes: Readonly<Record<string, unknown>>): string {
  for (const name of Object.keys(notes))
    if (RESERVED.has(name)) throw new TypeError(`"${name}" cannot be noted in a record`);
  return JSON.stringify({ ...notes }).slice(1, -1);
}

/**
 * The members of a record, from notes and images that are JSON text already.
 * @param ends of those keys that do not stay
 * @param hashes of which fields change
 */
export function encodeBody(
  at: string,
  tx: string,
  notes: string,
  images: ReadonlyMap<string, string | null>,
  ends?: ReadonlyMap<string, number>,
  hashes?: ReadonlyMap<string, FieldChanges>,
): string {
  let set = "";
  for (const [key, image] of images) set += `${set === "" ? "" : ","}${JSON.stringify(key)}:${image ?? "null"}`;
  return `"at":"${at}","tx":"${tx}",${notes === "" ? "" : `${notes},`}"set":{${set}}${hashes ? encodeHashes(hashes) : ""}${ends ? encodeEnds(ends) : ""}`;
}

/** After what is set, because in the first format a note may have that name; nothing where there are none. */
export function encodeHashes(hashes: ReadonlyMap<string, FieldChanges>): string {
  if (hashes.size === 0) return "";
  return `,"fields":{${Array.from(hashes, ([key, fields]) => `${JSON.stringify(key)}:${encodeFields(fields)}`).join(",")}}`;
}

/** In the same place, for the same reason; nothing where all keys stay. */
export function encodeEnds(ends: ReadonlyMap<string, number>): string {
  if (ends.size === 0) return "";
  return `,"ends":{${Array.from(ends, ([key, end]) => `${JSON.stringify(key)}:${end}`).join(",")}}`;
}

/** The record as one line of JSON with its checksum, without the line's end. */
export function encodeLine({ epoch, n, body }: Entry): string {
  const covered = `{"epoch":${epoch},"n":${n},${body}`;
  return `${covered},"crc":"${checksum(covered)}"}`;
}

/** CRC-32 (the polynomial of gzip) as eight hexadecimal digits. */
export function checksum(data: string | Uint8Array): string {
  const crc = crc32(data);
  // In halves, because V8 treats a number beyond 31 bits as a fraction and takes ten times as long for its digits.
  return (crc >>> 16).toString(16).padStart(4, "0") + (crc & 0xffff).toString(16).padStart(4, "0");
}

const HEAD = /^\{"epoch":(\d{1,16}),"n":(\d{1,16}),/;
const TAIL = /,"crc":"([0-9a-f]{8})"(?:,"frame":\{"lines":\d{1,9},"bytes":\d{1,12},"crc":"[0-9a-f]{8}"\})?\}$/;

/** The position that a line names, or null if it is no record. Looks at the first bytes only. */
export function positionOf(line: Buffer): Position | null {
  const head = HEAD.exec(line.toString("latin1", 0, 60));
  return head ? { epoch: Number(head[1]), n: Number(head[2]) } : null;
}

/** At its place only: the value of a key may have such a member. */
const TX = /^\{"epoch":\d{1,16},"n":\d{1,16},"at":"[^"]{1,40}","tx":"([^"]{1,80})"/;

/** What the record's transaction is named; null if the line does not say, as none of a snapshot does. Looks at the first bytes only. */
export function txOf(line: Buffer): string | null {
  return TX.exec(line.toString("latin1", 0, 200))?.[1] ?? null;
}

const TIME = /,"at":"([^"]{1,40})"/;

/**
 * When the record was committed, in milliseconds since 1970; NaN if the line does not say. Looks at the first bytes
 * only.
 *
 * @example
 * for await (const { n, line } of historyLines(store)) console.log(n, new Date(timeOf(line)));
 */
export function timeOf(line: Buffer): number {
  return Date.parse(TIME.exec(line.toString("latin1", 0, 120))?.[1] ?? "");
}

/** The checksum that the line carries, of all that stands before it; null if it is no record. */
export function checksumOf(line: Buffer): string | null {
  return tailOf(line)?.[1] ?? null;
}

/** True if the line is a record whose checksum fits. */
export function isIntact(line: Buffer): boolean {
  const tail = tailOf(line);
  if (tail === null || positionOf(line) === null) return false;
  return checksum(line.subarray(0, line.length - tail[0].length)) === tail[1];
}

function tailOf(line: Buffer): RegExpExecArray | null {
  return TAIL.exec(line.toString("latin1", Math.max(0, line.length - 120)));
}

/**
 * @throws LogDamageError if the line is no record, which its checksum should have shown before
 *
 * @example
 * for await (const { line, file } of historyLines(store)) console.log(parseRecord(line, file).set);
 */
export function parseRecord(line: Buffer, file: string): LogRecord {
  try {
    return JSON.parse(line.toString("utf8")) as LogRecord;
  } catch {
    throw new LogDamageError(file, 0, "a record with a good checksum is not JSON");
  }
}

/** The process that an entry is from: the first part of its `tx`. */
export function processOf(body: string): string {
  return /^"at":"[^"]*","tx":"([^"-]*)/.exec(body)?.[1] ?? "";
}

/** The keys that an entry writes. */
export function keysOf({ body, images }: Pick<Entry, "body" | "images">): Iterable<string> {
  if (images !== undefined) return images.keys();
  const keys: string[] = [];
  const json = Buffer.from(`{${body}}`);
  let isAfterSet = false;
  eachMember(json, 0, (name, from) => {
    if (name === "set") isAfterSet = true;
    if (name === "set" || (name === "fields" && isAfterSet)) eachMember(json, from, (key) => keys.push(key));
  });
  return keys;
}

/** What the record says of fields; in the first format a note may have that name. */
export function fieldsOf(record: LogRecord): NonNullable<LogRecord["fields"]> {
  const { fields } = record;
  const names = Object.keys(record);
  return fields !== undefined && names.indexOf("fields") > names.indexOf("set") ? fields : {};
}

/**
 * Visits what a replay takes from a record: what becomes of each key; the record's time; and when the key ends, null if it stays.
 * Both in milliseconds since 1970. A hash that begins with the record, or is given another end by it, is deleted first, and then
 * has all of its fields.
 * @throws LogDamageError if the line is not as records are, which its checksum should have shown before
 */
export function eachChange(
  line: Buffer,
  file: string,
  visit: (key: string, change: Change, at: number, end: number | null) => void,
): void {
  let at = NaN;
  let set: number | undefined;
  let hashes: number | undefined;
  let ends: Map<string, number> | undefined;
  try {
    eachMember(line, 0, (name, from, to) => {
      if (name === "at") at = Date.parse(line.toString("latin1", from + 1, to - 1));
      else if (name === "set") set = from;
      else if (name === "fields" && set !== undefined) hashes = from;
      else if (name === "ends" && set !== undefined) ends = readEnds(line, from);
    });
    if (set === undefined) return;
    eachMember(line, set, (key, begin, end) => {
      visit(key, readText(line, begin, end), at, ends?.get(key) ?? null);
    });
    if (hashes === undefined) return;
    eachMember(line, hashes, (key, from) => {
      const fields = new Map<string, string | null>();
      eachMember(line, from, (field, begin, end) => fields.set(field, readText(line, begin, end)));
      visit(key, fields, at, ends?.get(key) ?? null);
    });
  } catch {
    throw new LogDamageError(file, 0, "a record with a good checksum is not as records are");
  }
}

function readText(line: Buffer, from: number, to: number): string | null {
  const text = line.toString("utf8", from, to);
  return text === "null" ? null : text;
}

function readEnds(line: Buffer, at: number): Map<string, number> {
  const ends = new Map<string, number>();
  eachMember(line, at, (key, from, to) => {
    const end = Number(line.toString("latin1", from, to));
    if (!Number.isSafeInteger(end)) throw new TypeError("a key ends at no instant");
    ends.set(key, end);
  });
  return ends;
}
