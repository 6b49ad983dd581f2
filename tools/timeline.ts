import { historyLines, isAfter, timeOf, type Moment, type SegmentLine } from "log-replay/tools";
import type { OpenLog } from "./open-logs.ts";

/** A record's line, with the log that it is from. */
export interface LoggedLine {
  readonly log: OpenLog;
  readonly line: SegmentLine;
}

export interface Span {
  /** From here on. */
  readonly since?: Moment;
  /** Up to here. */
  readonly until?: Moment;
}

/** The histories of several services on one time line; each of them stays in the order of its commits. */
export async function* timeline(logs: readonly OpenLog[], span: Span = {}): AsyncGenerator<LoggedLine> {
  const sources = logs.map((log) => ({
    log,
    lines: within(log, span),
    next: undefined as SegmentLine | undefined,
    time: 0,
  }));
  const advance = async (source: (typeof sources)[number]): Promise<void> => {
    const read = await source.lines.next();
    source.next = read.done === true ? undefined : read.value;
    source.time = source.next === undefined ? Infinity : timeOf(source.next.line);
  };
  try {
    for (const source of sources) await advance(source);
    for (;;) {
      const first = sources
        .filter(({ next }) => next !== undefined)
        .reduce<(typeof sources)[number] | undefined>(
          (a, b) => (a === undefined || b.time < a.time ? b : a),
          undefined,
        );
      if (first?.next === undefined) return;
      yield { log: first.log, line: first.next };
      await advance(first);
    }
  } finally {
    for (const { lines } of sources) await lines.return(undefined);
  }
}

async function* within({ store }: OpenLog, { since, until }: Span): AsyncGenerator<SegmentLine> {
  const after = since !== undefined && "n" in since ? since.n - 1 : 0;
  for await (const line of historyLines(store, { after })) {
    const time = timeOf(line.line);
    if (until !== undefined && isAfter({ n: line.n, time }, until)) return;
    if (since !== undefined && "time" in since && time < since.time) continue;
    yield line;
  }
}
