import type { Changes } from "./changes.ts";
import { LogDamageError } from "./errors.ts";
import { readFrames, sealFrame, withoutSeal, type FramedLine } from "./frame.ts";
import { eachImage, encodeLine, parseRecord, type LogRecord, type Position } from "./record.ts";
import type { LogStore, Snapshot } from "./store.ts";

/**
 * A snapshot is the log with what was overwritten left out: records of the same form, in the order of their commits,
 * with those of their images that are still the last ones, in frames. Its last line tells its commit, and how many lines
 * stand before it.
 */
const END = /^\{"epoch":\d+,"n":\d+,"at":"[^"]*","lines":\d+,/;
const CHUNK = 256 * 1024;
const FRAME_BYTES = 64 * 1024;

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
        if (frame.torn !== null || end === undefined) throw new LogDamageError(name, lines + 1, "the snapshot ends before its last line");
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
      if (end.epoch !== snapshot.epoch || end.n !== snapshot.n) throw new LogDamageError(name, lines + 1, `the snapshot of commit ${end.n} of epoch ${end.epoch}`);
      if (end["lines"] !== lines) throw new LogDamageError(name, lines + 1, `${String(end["lines"])} lines were written, and ${lines} are there`);
    }
  } finally {
    await frames.return({ last: null, torn: null });
  }
}

/**
 * The snapshot at a commit: of an older one all that the changes leave, and then the changes.
 * @param now the time that its last line shall carry
 */
export async function* encodeSnapshot(store: LogStore, older: Snapshot | null, changes: Changes, { epoch, n }: Position, now: Date): AsyncGenerator<Buffer> {
  const frame = new PendingFrame();
  if (older !== null) {
    for await (const lines of readSnapshot(store, older)) {
      for (const framed of lines) {
        const line = unchanged(framed, older.name, changes);
        if (line !== null) frame.add(line);
        if (frame.full) yield frame.seal();
      }
    }
  }
  for (const entry of changes.records()) {
    frame.add(encodeLine(entry));
    if (frame.full) yield frame.seal();
  }
  if (!frame.empty) yield frame.seal();
  yield sealFrame([encodeLine({ epoch, n, body: `"at":"${now.toISOString()}","lines":${frame.lines},"set":{}` })]);
}

/** The line with the images that still are the last ones; null where none is. */
function unchanged({ epoch, n, line }: FramedLine, file: string, changes: Changes): string | null {
  const kept: string[] = [];
  let images = 0;
  let time = 0;
  eachImage(line, file, (key, image, at) => {
    time = at;
    images++;
    if (!changes.has(key)) kept.push(`${JSON.stringify(key)}:${image ?? "null"}`);
  });
  if (kept.length === images) return withoutSeal(line);
  return kept.length === 0 ? null : encodeLine({ epoch, n, body: `"at":"${new Date(time).toISOString()}","set":{${kept.join(",")}}` });
}

/** Lines until they are enough for a frame. */
class PendingFrame {
  /** All that were added. */
  lines = 0;
  #pending: string[] = [];
  #length = 0;

  get full(): boolean {
    return this.#length >= FRAME_BYTES;
  }

  get empty(): boolean {
    return this.#pending.length === 0;
  }

  add(line: string): void {
    this.lines++;
    this.#pending.push(line);
    this.#length += line.length;
  }

  seal(): Buffer {
    const frame = sealFrame(this.#pending);
    this.#pending = [];
    this.#length = 0;
    return frame;
  }
}
