import { LogDamageError } from "../errors.ts";
import { checksum, encodeLine, isIntact, positionOf, type Entry } from "./record.ts";

/** The lines of one group commit, which became durable together or not at all. */
export function encodeFrame(entries: readonly Entry[]): Buffer {
  return closeFrame(entries.map(encodeLine));
}

/**
 * Lines of JSON objects as one frame. The last line ends in the frame's trailer, its size and a checksum of all bytes
 * before that, because power loss can tear any page of a frame, not only its end.
 */
export function closeFrame(lines: readonly string[]): Buffer {
  const covered = Buffer.from(lines.join("\n").slice(0, -1));
  const trailer = `,"frame":{"lines":${lines.length},"bytes":${covered.length},"crc":"${checksum(covered)}"}}\n`;
  return Buffer.concat([covered, Buffer.from(trailer)]);
}

/** One record's line of an intact frame. `line` is valid until the next frame is asked for. */
export interface FramedLine {
  readonly epoch: number;
  readonly n: number;
  readonly line: Buffer;
  /** Number of the line in its file, from 1. */
  readonly number: number;
  /** Bytes of its file before it. */
  readonly offset: number;
}

/** An intact frame of a segment, and how many bytes stand before it. */
export interface Frame {
  readonly offset: number;
  readonly lines: readonly FramedLine[];
}

/** Where a segment was torn: everything from `offset` on belongs to a frame that never became durable. */
export interface Torn {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * How a segment ends: its last intact frame, null if there is none, and what is torn after that, null if nothing is.
 */
export interface End {
  readonly last: { readonly offset: number; readonly bytes: Buffer } | null;
  readonly torn: Torn | null;
}

/**
 * What to do about damage. If this returns, the reader goes on after the damage.
 *
 * @example
 * const begins = await store.begins(({ file, line, what }) => console.error(`${file}:${line}: ${what}`));
 */
export type OnDamage = (damage: LogDamageError) => void;

export const raise: OnDamage = (damage) => {
  throw damage;
};

/** How far a segment was read: the end of its last whole frame. */
export interface ReadOffset {
  /** Bytes. */
  offset: number;
  /** Number of the next line, from 1. */
  line: number;
}

export interface ReadFramesOptions {
  /** Where the chunks begin. It moves on with each frame. Default: the beginning. */
  readonly reached?: ReadOffset;
  /** Default: throws it. */
  readonly onDamage?: OnDamage;
}

const TRAILER = /,"frame":\{"lines":(\d{1,9}),"bytes":(\d{1,12}),"crc":"([0-9a-f]{8})"\}\}$/;
const NEWLINE = 10;
const SMALLEST_BUFFER = 64 * 1024;

/** A line of the frame that is being read: where it stands in the buffer. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads a segment frame by frame, with memory for two frames and one chunk.
 *
 * @throws LogDamageError for anything bad that a crash during an append cannot have left behind
 */
export async function* readFrames(
  chunks: AsyncIterable<Buffer>,
  file: string,
  { reached = { offset: 0, line: 1 }, onDamage = raise }: ReadFramesOptions = {},
): AsyncGenerator<Frame, End> {
  // All chunks share one buffer: at the pace of a restore, the garbage would take more memory than the restore itself.
  let held: Buffer = Buffer.allocUnsafe(SMALLEST_BUFFER);
  let length = 0;
  let searched = 0;
  let spans: Span[] = [];
  const last = new Kept();

  for await (const chunk of chunks) {
    if (length + chunk.length > held.length) held = enlarged(held, length + chunk.length);
    length += chunk.copy(held, length);
    const buffer = held.subarray(0, length);
    let consumed = 0;
    let begun = 0;
    for (let end = buffer.indexOf(NEWLINE, searched); end >= 0; end = buffer.indexOf(NEWLINE, end + 1)) {
      spans.push({ from: (spans.at(-1)?.to ?? consumed - 1) + 1, to: end });
      searched = end + 1;
      const frame = closedFrame(buffer, spans, end);
      if (frame === null) continue;
      // An intact frame follows the bad place, so the bad place had become durable before it was spoilt.
      const bad = spans.slice(0, spans.length - frame.spans.length);
      for (const line of worst(buffer, bad))
        onDamage(new LogDamageError(file, reached.line + line, "a bad checksum in the middle of the log"));
      begun = frame.begun;
      const first = { offset: reached.offset + begun - consumed, line: reached.line + bad.length };
      const lines = toLines(buffer, frame, first, file);
      reached.offset += end + 1 - consumed;
      reached.line += spans.length;
      consumed = end + 1;
      spans = [];
      yield { offset: first.offset, lines };
    }
    if (consumed > 0) last.keep(buffer.subarray(begun, consumed), reached.offset - (consumed - begun));
    held.copyWithin(0, consumed, length);
    length -= consumed;
    searched -= consumed;
    spans = spans.map(({ from, to }) => ({ from: from - consumed, to: to - consumed }));
  }
  const torn = length === 0 ? null : judgeRest(held.subarray(0, length), spans, reached, file, onDamage);
  return { last: last.frame, torn };
}

/** Keeps a frame's bytes for longer than the reader's buffer holds them. */
class Kept {
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;
  #offset = 0;

  keep(bytes: Buffer, offset: number): void {
    if (bytes.length > this.#buffer.length) this.#buffer = enlarged(this.#buffer, bytes.length);
    this.#length = bytes.copy(this.#buffer);
    this.#offset = offset;
  }

  get frame(): End["last"] {
    return this.#length === 0 ? null : { offset: this.#offset, bytes: this.#buffer.subarray(0, this.#length) };
  }
}

function enlarged(buffer: Buffer, needed: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, needed));
  buffer.copy(larger);
  return larger;
}

/** The lines that the trailer before `end` covers, and where the first begins. */
interface Closed {
  readonly begun: number;
  readonly spans: readonly Span[];
}

/** The frame that the last line closes, if it is intact; null if that line has no trailer. */
function closedFrame(buffer: Buffer, spans: readonly Span[], end: number): Closed | null {
  const trailer = trailerBefore(buffer, end);
  if (trailer === null) return null;
  const first = spans.length - Number(trailer[1]);
  const begun = spans[first]?.from;
  if (begun === undefined) return null;
  const bytes = buffer.subarray(begun, end - trailer[0].length);
  const fits = bytes.length === Number(trailer[2]) && checksum(bytes) === trailer[3];
  return fits ? { begun, spans: spans.slice(first) } : null;
}

/** The trailer that ends at `to`, null if none does. It has no line's end inside, so it is all in the line that ends there. */
function trailerBefore(buffer: Buffer, to: number): RegExpExecArray | null {
  return TRAILER.exec(buffer.toString("latin1", Math.max(0, to - 100), to));
}

/** The spoilt lines. If each is intact by itself: the first with a trailer that does not fit. None of no lines. */
function worst(buffer: Buffer, spans: readonly Span[]): number[] {
  if (spans.length === 0) return [];
  const spoilt = spans.flatMap(({ from, to }, i) => (isIntact(buffer.subarray(from, to)) ? [] : [i]));
  return spoilt.length > 0
    ? spoilt
    : [
        Math.max(
          0,
          spans.findIndex(({ to }) => trailerBefore(buffer, to) !== null),
        ),
      ];
}

function toLines(buffer: Buffer, { begun, spans }: Closed, first: ReadOffset, file: string): FramedLine[] {
  return spans.map(({ from, to }, i) => {
    const line = buffer.subarray(from, to);
    const position = positionOf(line);
    const number = first.line + i;
    if (position === null) throw new LogDamageError(file, number, "a line that is no record");
    return { ...position, line, number, offset: first.offset + from - begun };
  });
}

/**
 * What stands after the last intact frame. A crash leaves a beginning of one frame, or that frame with sectors of zeros
 * where they were not written: it is torn, and was never answered for. Anything else was spoilt later: the end is damaged,
 * and may have been answered for.
 */
function judgeRest(
  buffer: Buffer,
  spans: readonly Span[],
  { offset, line }: ReadOffset,
  file: string,
  onDamage: OnDamage,
): Torn {
  const end = buffer.length - 1;
  const damage = (at: number, what: string): void => onDamage(new LogDamageError(file, line + at, what));
  const isClosing = ({ to }: Span): boolean => trailerBefore(buffer, to) !== null;
  // Its writer went on behind it, and does so only once a frame is durable.
  const durable = spans.findLastIndex((span) => span.to !== end && isClosing(span)) + 1;
  for (const at of worst(buffer, spans.slice(0, durable))) damage(at, "a bad checksum in the middle of the log");

  const unwritten = zeroedSectors(buffer, offset);
  // A line that is spoilt and has no zeros was written whole: a crash does not excuse it, whatever follows.
  const spoilt = spans.flatMap(({ from, to }, i) => {
    const bytes = buffer.subarray(from, to);
    const excused = i < durable || unwritten.some((sector) => sector.from < to && sector.to > from);
    return excused || isIntact(bytes) ? [] : [{ i, bytes }];
  });
  for (const { i, bytes } of spoilt) damage(i, `${faultOf(bytes)}, ${AT_THE_END}`);
  const last = spans.findLastIndex(isClosing);
  if (spoilt.length === 0 && unwritten.length === 0) {
    if (last >= durable) damage(last, `the frame's checksum does not fit its lines, ${AT_THE_END}`);
    else if (trailerBefore(buffer, end) !== null)
      damage(spans.length, `a whole frame without its last line's end, ${AT_THE_END}`);
  }
  return { offset, bytes: buffer.length };
}

const AT_THE_END = "at the end, which may have been answered for";

function faultOf(line: Buffer): string {
  return isIntact(withoutDecoration(line))
    ? "a record that is whole but for what an editor put around it (CR LF, a byte order mark)"
    : "a bad checksum";
}

const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = Buffer.from("\uFEFF");

/** The line without what editors and file transfers put around it: a carriage return at its end, a byte order mark. */
export function withoutDecoration(line: Buffer): Buffer {
  const from = line.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  return line.subarray(from, line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length);
}

/** The line by itself, without the trailer of the frame that it ends. */
export function withoutTrailer(line: Buffer): string {
  const text = line.toString("utf8");
  const trailer = TRAILER.exec(text);
  return trailer === null ? text : `${text.slice(0, trailer.index)}}`;
}

/** Bytes that a disk writes together, or a multiple of them. */
const SECTOR = 512;

/** The sectors of which all that the rest has is zeros. JSON has none: a single one is a flipped bit. */
function zeroedSectors(rest: Buffer, offset: number): Span[] {
  const zeroed: Span[] = [];
  for (let from = rest.indexOf(0); from >= 0;) {
    const to = Math.min(rest.length, from + SECTOR - ((offset + from) % SECTOR));
    const begins = from === 0 || (offset + from) % SECTOR === 0;
    if (begins && rest.subarray(from, to).every((byte) => byte === 0)) zeroed.push({ from, to });
    from = rest.indexOf(0, to);
  }
  return zeroed;
}
