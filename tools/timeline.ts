import { historyLines, isAfter, timeOf, type Moment, type PlacedLine } from "log-replay/tools";
import type { Place } from "./places.ts";

/** A record's line, with the place that it is from. */
export interface PlaceLine {
  readonly place: Place;
  readonly line: PlacedLine;
}

export interface Span {
  /** From here on. */
  readonly since?: Moment;
  /** Up to here. */
  readonly until?: Moment;
}

/** The histories of several services on one time line; each of them stays in the order of its commits. */
export async function* timeline(places: readonly Place[], span: Span = {}): AsyncGenerator<PlaceLine> {
  const sources = places.map((place) => ({
    place,
    lines: within(place, span),
    next: undefined as PlacedLine | undefined,
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
      yield { place: first.place, line: first.next };
      await advance(first);
    }
  } finally {
    for (const { lines } of sources) await lines.return(undefined);
  }
}

async function* within({ store }: Place, { since, until }: Span): AsyncGenerator<PlacedLine> {
  const after = since !== undefined && "n" in since ? since.n - 1 : 0;
  for await (const line of historyLines(store, { after })) {
    const time = timeOf(line.line);
    if (until !== undefined && isAfter({ n: line.n, time }, until)) return;
    if (since !== undefined && "time" in since && time < since.time) continue;
    yield line;
  }
}
