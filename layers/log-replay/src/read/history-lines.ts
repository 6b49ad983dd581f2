import { setTimeout as sleep } from "node:timers/promises";
import { wholeHistory } from "./chain.ts";
import type { LogStore } from "../stores/store.ts";
import { EpochReader, type SegmentLine } from "./epoch-reader.ts";
import type { OnTorn } from "./segment-cursor.ts";

/**
 * From where on.
 *
 * @example
 * const options: HistoryLinesOptions = { after: 1_000 };
 */
export interface HistoryLinesOptions {
  /** Only commits after this one. Default 0. */
  readonly after?: number;
  readonly onTorn?: OnTorn;
}

/**
 * The commits of a log in their order, each once, up to the last that is there now; others may go on appending. Needs
 * memory for a frame and a chunk of each segment of one epoch.
 * @throws LogDamageError; StoreUnavailableError
 *
 * @example
 * for await (const { n, file, number } of historyLines(store, { after: 1_000 })) console.log(n, `${file}:${number}`);
 */
export async function* historyLines(
  store: LogStore,
  { after = 0, onTorn }: HistoryLinesOptions = {},
): AsyncGenerator<SegmentLine> {
  for (const { epoch, from, to } of (await wholeHistory(store)).history) {
    if (to <= after) continue;
    const reader = new EpochReader(store, { epoch, from: Math.max(after, from) }, onTorn ? { onTorn } : {});
    try {
      yield* reader.read(to);
    } finally {
      await reader.close();
    }
  }
}

/** What somebody who follows a log is told. */
export type Followed =
  | { readonly record: SegmentLine }
  /** A new epoch. `dropped` of the commits that were reported before turned out not to count. */
  | { readonly began: number; readonly cut: number; readonly dropped: number };

/**
 * From where on, until when.
 *
 * @example
 * const options: FollowOptions = { after: 1_000, signal: AbortSignal.timeout(60_000) };
 */
export interface FollowOptions {
  /** Only commits after this one. Default 0. */
  readonly after?: number;
  /** Milliseconds between two looks. Default 200. */
  readonly pause?: number;
  readonly signal: AbortSignal;
}

/**
 * As `historyLines`, and then whatever is appended, on through new segments and epochs, until the signal. @throws as
 * `historyLines`
 *
 * @example
 * for await (const step of followHistory(store, { signal: shutdown })) {
 *   if ("record" in step) console.log(step.record.n);
 *   else console.log(`epoch ${step.began} goes on from commit ${step.cut}`);
 * }
 */
export async function* followHistory(
  store: LogStore,
  { after = 0, pause = 200, signal }: FollowOptions,
): AsyncGenerator<Followed> {
  let reader: EpochReader | undefined;
  try {
    while (!signal.aborted) {
      for (const { epoch, from, to } of (await wholeHistory(store)).history) {
        if (epoch < (reader?.epoch ?? 0) || (reader === undefined && to <= after)) continue;
        if (reader?.epoch !== epoch) {
          if (reader !== undefined) yield { began: epoch, cut: from, dropped: Math.max(0, reader.last - from) };
          await reader?.close();
          reader = new EpochReader(store, { epoch, from: reader === undefined ? Math.max(after, from) : from });
        }
        for await (const record of reader.read(to)) yield { record };
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await reader?.close();
  }
}
