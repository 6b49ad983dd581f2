import { timeOf } from "../format/record.ts";
import type { SegmentLine } from "../read/epoch-reader.ts";
import { historyLines } from "../read/history-lines.ts";
import { isAfter, type Moment } from "../tools/moment.ts";
import type { Log } from "./logs.ts";

/** A record's line, with the log that it is from. */
export interface LogLine<L extends Log = Log> {
  readonly log: L;
  readonly line: SegmentLine;
}

export interface Span {
  /** From here on. */
  readonly since?: Moment;
  /** Up to here. */
  readonly until?: Moment;
}

/**
 * The histories of several logs on one time line; each of them stays in the order of its commits.
 * @throws LogDamageError, StoreUnavailableError
 *
 * @example
 * for await (const { log, line } of timeline(await logs.open([]), { since: parseMoment("2026-01-31") }))
 *   await print(`${log.name} ${line.epoch}:${line.n}`);
 */
export async function* timeline<L extends Log>(logs: readonly L[], span: Span = {}): AsyncGenerator<LogLine<L>> {
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

async function* within({ store }: Log, { since, until }: Span): AsyncGenerator<SegmentLine> {
  const after = since !== undefined && "n" in since ? since.n - 1 : 0;
  for await (const line of historyLines(store, { after })) {
    const time = timeOf(line.line);
    if (until !== undefined && isAfter({ n: line.n, time }, until)) return;
    if (since !== undefined && "time" in since && time < since.time) continue;
    yield line;
  }
}
