import { LogDamageError } from "../errors.ts";
import type { FramedLine } from "../format/frame.ts";
import { Merge, type SegmentEnd } from "./merge.ts";
import { goesOnBehind, type Stretch } from "../protocol.ts";
import type { LogStore, Segment } from "../stores/store.ts";

export interface StretchOptions {
  /** The segments to read; default: those of the epoch that are not archived. */
  readonly segments?: readonly Segment[];
  /** Told of each segment that was read to its end, once all is read. */
  readonly onEnd?: (end: SegmentEnd) => void;
}

/**
 * The records of an epoch that is over, in commit order, each once, whoever appended them and however often: lists of at least one,
 * each valid until the next one is asked for. What was not there yet when its segments were listed rests on no claim check that
 * went well, so it does not count.
 *
 * @throws LogDamageError where two segments disagree about a record, or where a commit is missing: one up to
 *   `stretch.to`, or one below another that is there
 */
export async function* readStretch(
  store: LogStore,
  { epoch, from, to }: Stretch,
  { segments, onEnd }: StretchOptions = {},
): AsyncGenerator<readonly FramedLine[]> {
  const merge = await Merge.open(store, segments ?? (await store.segments(epoch)), { asListed: true });
  try {
    let expected = from + 1;
    while (expected <= to) {
      const lines = await merge.take(expected, to);
      if (lines.length === 0) break;
      yield lines;
      expected += lines.length;
    }
    const beyond = goesOnBehind(expected, to, merge.beyond);
    if (beyond !== null)
      throw new LogDamageError(
        `epoch ${epoch}`,
        0,
        `commit ${expected} is missing, and the log goes on to commit ${beyond}`,
      );
    for (const end of merge.ended) onEnd?.(end);
  } finally {
    await merge.close();
  }
}
