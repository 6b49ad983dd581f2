import type { FramedLine } from "../format/frame.ts";
import { fromNewestSnapshot } from "./newest-snapshot.ts";
import { historyLines } from "./history-lines.ts";
import { contentOf, merged, textOf, type Merged } from "../format/change.ts";
import { eachChange, parseRecord, timeOf, type LogRecord, type Position } from "../format/record.ts";
import { readSnapshot } from "./snapshot.ts";
import type { LogStore } from "../stores/store.ts";

/**
 * The records of all that has happened, in order, each once, from the archive and the log. It can run beside
 * transactions, restores and compactions, and ends with the last commit that is there. A recovery may still cut off a
 * commit at the end on which no answer rests yet.
 *
 * @param from the first commit wanted, from 1
 * @throws LogDamageError, also if archived segments were taken away
 *
 * @example
 * for await (const { n, at, op, set } of readHistory(store, { from: 1_000 })) console.log(n, at, op, Object.keys(set));
 */
export async function* readHistory(
  store: LogStore,
  { from = 1 }: { readonly from?: number } = {},
): AsyncGenerator<LogRecord> {
  for await (const { line, file } of historyLines(store, { after: from - 1 })) yield parseRecord(line, file);
}

/** A key's value at some time, when it was written and when it ends: both in milliseconds since 1970. */
export interface Image {
  /** JSON text: of a string as Redis has it, of a hash an object of its fields. */
  readonly image: string;
  /** The fields of a hash, each as Redis has it: JSON text. Absent where the key holds a string. */
  readonly fields?: ReadonlyMap<string, string>;
  readonly at: number;
  /** null where it stays. */
  readonly end: number | null;
}

export interface PastState {
  /** The last commit that it has; null if nothing had happened. */
  readonly position: Position | null;
  readonly images: ReadonlyMap<string, Image>;
}

/**
 * The state as it was after commit `n`, or before the first commit later than time `at` (milliseconds since 1970);
 * without either, now. Keys that had ended by then are not in it; by then is `at`, or the time that commit `n` carries, or now by
 * this process's clock. Needs memory for that state.
 * @throws LogDamageError, also if archived segments that it needs were taken away
 *
 * @example
 * const { position, images } = await stateAt(store, { at: Date.parse("2026-01-31T12:00:00Z") });
 * const seats = JSON.parse(images.get("seats")?.image ?? "null") as number | null;
 */
export function stateAt(
  store: LogStore,
  { n = Infinity, at = Infinity }: { readonly n?: number; readonly at?: number } = {},
): Promise<PastState> {
  return fromNewestSnapshot(store, async (snapshot) => {
    const values = new Map<string, { readonly value: Merged; readonly at: number; readonly end: number | null }>();
    let last = -Infinity;
    const apply = ({ epoch, line }: FramedLine): void => {
      eachChange(line, `epoch ${epoch}`, (key, change, time, end) => {
        if (change === null) values.delete(key);
        else values.set(key, { value: merged(values.get(key)?.value ?? null, change), at: time, end });
      });
      last = timeOf(line);
    };
    let position: Position | null = null;
    // A snapshot does not tell the times of the commits that are folded into it.
    if (snapshot !== null && snapshot.n <= n && at === Infinity) {
      const reading = readSnapshot(store, snapshot);
      let step = await reading.next();
      for (; !step.done; step = await reading.next()) step.value.forEach(apply);
      last = step.value;
      position = { epoch: snapshot.epoch, n: snapshot.n };
    }
    for await (const framed of historyLines(store, { after: position?.n ?? 0 })) {
      if (framed.n > n || (at !== Infinity && timeOf(framed.line) > at)) break;
      apply(framed);
      position = { epoch: framed.epoch, n: framed.n };
    }
    const then = at !== Infinity ? at : n === Infinity ? Date.now() : last;
    const images = new Map<string, Image>();
    for (const [key, { value, at: time, end }] of values) {
      const content = end !== null && end <= then ? null : contentOf(value);
      if (content === null) continue;
      const fields = typeof content === "string" ? {} : { fields: content };
      images.set(key, { image: textOf(content), at: time, end, ...fields });
    }
    return { position, images };
  });
}
