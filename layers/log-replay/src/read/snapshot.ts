import { LogDamageError } from "../errors.ts";
import { readFrames, type FramedLine } from "../format/frame.ts";
import { parseRecord, type LogRecord } from "../format/record.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";

/**
 * A snapshot is the log without what was overwritten: records of the same form, in frames, in the order of their
 * commits, with those of their images that are still the last ones. Its last line tells its commit, and how many lines
 * stand before it.
 */
const END = /^\{"epoch":\d+,"n":\d+,"at":"[^"]*","lines":\d+,/;
const CHUNK = 256 * 1024;

/**
 * The lines of a snapshot but for the last, in lists that are valid until the next one is asked for.
 * @throws LogDamageError; GoneError where it was removed
 */
export async function* readSnapshot(store: LogStore, snapshot: Snapshot): AsyncGenerator<readonly FramedLine[]> {
  const { name } = snapshot;
  const frames = readFrames(store.readSnapshot(snapshot, CHUNK), name);
  let lines = 0;
  let end: LogRecord | undefined;
  try {
    for (;;) {
      const { done, value: frame } = await frames.next();
      if (done) {
        if (frame.torn !== null || end === undefined)
          throw new LogDamageError(name, lines + 1, "the snapshot ends before its last line");
        return;
      }
      if (end !== undefined) throw new LogDamageError(name, lines + 2, "the snapshot goes on after its last line");
      const [first] = frame.lines as readonly [FramedLine];
      if (!END.test(first.line.toString("latin1", 0, 200))) {
        lines += frame.lines.length;
        yield frame.lines;
        continue;
      }
      end = parseRecord(first.line, name);
      if (end.epoch !== snapshot.epoch || end.n !== snapshot.n)
        throw new LogDamageError(name, lines + 1, `the snapshot of commit ${end.n} of epoch ${end.epoch}`);
      if (end["lines"] !== lines)
        throw new LogDamageError(name, lines + 1, `${String(end["lines"])} lines were written, and ${lines} are there`);
    }
  } finally {
    await frames.return({ last: null, torn: null });
  }
}
