import { LogDamageError } from "../errors.ts";
import { readFrames, type FramedLine } from "../format/frame.ts";
import { parseRecord, type LogRecord } from "../format/record.ts";
import { assertKnown } from "../format/version.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";

/**
 * A snapshot is the log with what was overwritten left out: records of the same form, in the order of their commits,
 * with those of their images that are still the last ones, in frames. Its first line tells its format and when it was made, its
 * last one its commit, with the time of that, and how many lines stand between. The first versions wrote no first line; then the last one names no format either.
 */
const HEAD = /^\{"epoch":\d+,"n":\d+,"at":"[^"]*","format":([^,]*),"set"/;
const END = /^\{"epoch":\d+,"n":\d+,"at":"[^"]*",(?:"format":\d+,)?"lines":\d+,/;
const CHUNK = 256 * 1024;
/** Enough of a snapshot to tell its format. */
export const HEAD_BYTES = 200;

/** The body of a snapshot's first line. */
export const headBody = (at: string, format: number): string => `"at":"${at}","format":${format},"set":{}`;

/** The body of its last line. */
export const endBody = (at: string, format: number, lines: number): string =>
  `"at":"${at}","format":${format},"lines":${lines},"set":{}`;

/** @param beginning its first bytes @returns whether a first line tells its format @throws FormatError */
export function assertSnapshotFormat(beginning: Buffer, name: string): boolean {
  const format = HEAD.exec(beginning.toString("latin1", 0, HEAD_BYTES))?.[1];
  if (format === undefined) return false;
  assertKnown(/^\d+$/.test(format) ? Number(format) : format, name);
  return true;
}

/**
 * The lines of a snapshot except the first and the last, in lists that are valid until the next one is asked for; at its end the
 * time that the last one has, in milliseconds since 1970.
 * @throws LogDamageError; FormatError; GoneError if it was removed
 */
export async function* readSnapshot(
  store: LogStore,
  snapshot: Snapshot,
): AsyncGenerator<readonly FramedLine[], number> {
  const { name } = snapshot;
  const frames = readFrames(ofKnownFormat(store.readSnapshot(snapshot, CHUNK), name), name);
  let lines = 0;
  let isFirst = true;
  let hasHead = false;
  let end: LogRecord | undefined;
  try {
    for (;;) {
      const { done, value: frame } = await frames.next();
      if (done) {
        if (frame.torn !== null || end === undefined)
          throw new LogDamageError(name, lines + 1, "the snapshot ends before its last line");
        return Date.parse(end.at);
      }
      if (end !== undefined) throw new LogDamageError(name, lines + 2, "the snapshot goes on after its last line");
      const [first] = frame.lines as readonly [FramedLine];
      if (isFirst) {
        isFirst = false;
        hasHead = assertSnapshotFormat(first.line, name);
        if (hasHead) continue;
      }
      if (!END.test(first.line.toString("latin1", 0, 200))) {
        lines += frame.lines.length;
        yield frame.lines;
        continue;
      }
      end = parseRecord(first.line, name);
      if (end.epoch !== snapshot.epoch || end.n !== snapshot.n)
        throw new LogDamageError(name, lines + 1, `the snapshot of commit ${end.n} of epoch ${end.epoch}`);
      if (hasHead !== (end["format"] !== undefined))
        throw new LogDamageError(name, 1, "the snapshot has lost its first line");
      if (end["lines"] !== lines)
        throw new LogDamageError(name, lines + 1, `${String(end["lines"])} lines were written, and ${lines} are there`);
    }
  } finally {
    await frames.return({ last: null, torn: null });
  }
}

/** Its format is looked at before anything else: of one that is not known nobody can say whether it is damaged. */
async function* ofKnownFormat(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst) assertSnapshotFormat(chunk, name);
    isFirst = false;
    yield chunk;
  }
}
