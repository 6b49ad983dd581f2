import { isIntact, positionOf, type Entry } from "../format/record.ts";
import type { LogStore, Segment } from "../stores/store.ts";

const CHUNK = 64 * 1024;
const NEWLINE = 10;
const HEAD = /^\{"epoch":\d+,"n":\d+,/;
const TAIL = /,"crc":"[0-9a-f]{8}"(?:,"frame":\{[^{}]*\})?\}$/;

/**
 * The records of a damaged segment whose own checksum fits, whatever became of their frame: answers may rest on a frame
 * that was spoilt after it had become durable.
 */
export async function* intactEntries(store: LogStore, segment: Segment): AsyncGenerator<Entry> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of store.read(segment, CHUNK)) {
    rest = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, from)) {
      const entry = entryOf(rest.subarray(from, end));
      if (entry?.epoch === segment.epoch) yield entry;
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
  const last = entryOf(rest);
  if (last?.epoch === segment.epoch) yield last;
}

function entryOf(line: Buffer): Entry | null {
  const position = isIntact(line) ? positionOf(line) : null;
  return position === null ? null : { ...position, body: line.toString("utf8").replace(HEAD, "").replace(TAIL, "") };
}
