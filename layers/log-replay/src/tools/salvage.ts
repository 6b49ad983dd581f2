import { withoutDecoration } from "../format/frame.ts";
import { checksumOf, isIntact, positionOf, type Entry } from "../format/record.ts";
import type { LogStore, Segment } from "../stores/store.ts";

const CHUNK = 64 * 1024;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const HEAD = /^\{"epoch":\d+,"n":\d+,/;
const TAIL = /,"crc":"[0-9a-f]{8}"(?:,"frame":\{[^{}]*\})?\}$/;

/** What is left of a damaged segment. */
export interface Salvage {
  /** The records whose own checksum fits, whatever became of their frame, in the order of their commits, each once. */
  readonly entries: readonly Entry[];
  /**
   * The numbers of the commits whose lines are spoilt, as far as can be told: as the line says where that goes on from the one
   * before it, else the next one. They had become durable before they were spoilt, so they may have been answered for.
   */
  readonly spoilt: readonly number[];
}

/**
 * Reads what is intact in a damaged segment, as it was when it was listed. Line ends and a byte order mark that an editor or a
 * transfer has put there do not count. Memory for the segment.
 */
export async function salvage(store: LogStore, segment: Segment): Promise<Salvage> {
  const entries = new Map<number, Entry>();
  const spoilt: number[] = [];
  let last = 0;
  for await (const { line, isWhole } of linesOf(store, segment)) {
    const position = positionOf(line);
    if (isIntact(line) && position?.epoch === segment.epoch) {
      const body = line.toString("utf8").replace(HEAD, "").replace(TAIL, "");
      const known = entries.get(position.n);
      if (known === undefined || known.body === body) entries.set(position.n, { ...position, body });
      last = position.n;
    } else if (isWhole) {
      last = position !== null && position.epoch === segment.epoch && position.n > last ? position.n : last + 1;
      spoilt.push(last);
    }
  }
  return { entries: [...entries.values()].sort((a, b) => a.n - b.n), spoilt };
}

/** Of the last piece nobody can have been answered for where its line did not end and it seals no frame. */
async function* linesOf(
  store: LogStore,
  segment: Segment,
): AsyncGenerator<{ readonly line: Buffer; readonly isWhole: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of store.read(segment, CHUNK, 0, true)) {
    // Either ends a line, whoever has put it there: no record contains one.
    rest = Buffer.concat([rest, chunk.map((byte) => (byte === CARRIAGE_RETURN ? NEWLINE : byte))]);
    let from = 0;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, from)) {
      const line = withoutDecoration(rest.subarray(from, end));
      if (line.length > 0) yield { line, isWhole: !line.every((byte) => byte === 0) };
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
  const line = withoutDecoration(rest);
  if (line.length > 0) yield { line, isWhole: checksumOf(line) !== null };
}
