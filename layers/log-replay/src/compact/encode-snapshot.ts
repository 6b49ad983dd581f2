import { closeFrame, withoutTrailer, type FramedLine } from "../format/frame.ts";
import { eachImage, encodeLine, type Position } from "../format/record.ts";
import { endBody, headBody, readSnapshot } from "../read/snapshot.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";
import type { NewestImages } from "./changes.ts";

const FRAME_BYTES = 64 * 1024;

/**
 * The snapshot at a commit: of an older one all that the changes leave, and then the changes.
 * @param now the time that its first and its last line shall carry
 */
export async function* encodeSnapshot(
  store: LogStore,
  older: Snapshot | null,
  changes: NewestImages,
  { epoch, n }: Position,
  now: Date,
): AsyncGenerator<Buffer> {
  const at = now.toISOString();
  const frame = new PendingFrame();
  yield closeFrame([encodeLine({ epoch, n, body: headBody(at) })]);
  if (older !== null) {
    for await (const lines of readSnapshot(store, older)) {
      for (const framed of lines) {
        const line = unchanged(framed, older.name, changes);
        if (line !== null) frame.add(line);
        if (frame.full) yield frame.finish();
      }
    }
  }
  for (const entry of changes.records()) {
    frame.add(encodeLine(entry));
    if (frame.full) yield frame.finish();
  }
  if (!frame.empty) yield frame.finish();
  yield closeFrame([encodeLine({ epoch, n, body: endBody(at, frame.lines) })]);
}

/** The line with those of its images that are still the last ones; null if none is. */
function unchanged({ epoch, n, line }: FramedLine, file: string, changes: NewestImages): string | null {
  const kept: string[] = [];
  let images = 0;
  let time = 0;
  eachImage(line, file, (key, image, at) => {
    time = at;
    images++;
    if (!changes.has(key)) kept.push(`${JSON.stringify(key)}:${image ?? "null"}`);
  });
  if (kept.length === images) return withoutTrailer(line);
  return kept.length === 0
    ? null
    : encodeLine({ epoch, n, body: `"at":"${new Date(time).toISOString()}","set":{${kept.join(",")}}` });
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

  finish(): Buffer {
    const frame = closeFrame(this.#pending);
    this.#pending = [];
    this.#length = 0;
    return frame;
  }
}
