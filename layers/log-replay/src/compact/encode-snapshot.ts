import { closeFrame, withoutTrailer, type FramedLine } from "../format/frame.ts";
import { hasLongEnded } from "../format/long-ended.ts";
import { eachChange, encodeLine, type Position } from "../format/record.ts";
import { endBody, headBody, readSnapshot } from "../read/snapshot.ts";
import type { LogStore, Snapshot } from "../stores/store.ts";
import { KeptImages, type NewestImages } from "./changes.ts";

const FRAME_BYTES = 64 * 1024;

/** The commit of a snapshot. */
export interface SnapshotEnd extends Position {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Of its epoch, and so of the snapshot. */
  readonly format: number;
}

/**
 * The snapshot at a commit: of an older one all that the changes leave, and then the changes; without the keys that had long
 * ended when that commit was made. By the time of the log, not of whoever compacts: so it says the same whenever it is made.
 * @param now the time that its first line shall carry
 */
export async function* encodeSnapshot(
  store: LogStore,
  older: Snapshot | null,
  changes: NewestImages,
  { epoch, n, time, format }: SnapshotEnd,
  now: Date,
): AsyncGenerator<Buffer> {
  const frame = new PendingFrame();
  yield closeFrame([encodeLine({ epoch, n, body: headBody(now.toISOString(), format) })]);
  if (older !== null) {
    for await (const lines of readSnapshot(store, older)) {
      for (const framed of lines) {
        const line = unchanged(framed, older.name, changes, time);
        if (line !== null) frame.add(line);
        if (frame.full) yield frame.finish();
      }
    }
  }
  for (const entry of changes.records(time)) {
    frame.add(encodeLine(entry));
    if (frame.full) yield frame.finish();
  }
  if (!frame.empty) yield frame.finish();
  yield closeFrame([encodeLine({ epoch, n, body: endBody(new Date(time).toISOString(), format, frame.lines) })]);
}

/** The line with those of its images that are still the last ones, and have not long ended; null if none is. */
function unchanged({ epoch, n, line }: FramedLine, file: string, changes: NewestImages, time: number): string | null {
  const kept = new KeptImages();
  let [images, whole] = [0, 0];
  let written = 0;
  eachChange(line, file, (key, image, at, end) => {
    written = at;
    const left = image === null || hasLongEnded(end, time) ? null : changes.leftOf(key, image);
    if (left !== null) kept.add(key, left, end);
    images++;
    if (left === image) whole++;
  });
  if (whole === images) return withoutTrailer(line);
  return kept.size === 0 ? null : encodeLine({ epoch, n, body: kept.body(written) });
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
