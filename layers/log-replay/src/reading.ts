import { GoneError, LogDamageError } from "./errors.ts";
import type { FramedLine } from "./frame.ts";
import { fromNewestSnapshot } from "./ground.ts";
import { readStretch } from "./history.ts";
import { chain, lastBegun } from "./protocol.ts";
import { eachImage, parseRecord, type LogRecord, type Position } from "./record.ts";
import { readSnapshot } from "./snapshot.ts";
import type { LogStore } from "./store.ts";

/**
 * The records of all that has happened, in order, each once, from the archive and the log. It can run beside
 * transactions, restores and compactions, and ends with the last commit that is there. A commit at the end that was not
 * answered for yet may still be cut off by a recovery.
 *
 * @param from the first commit wanted, from 1
 * @throws LogDamageError, also where archived segments were taken away
 */
export async function* readHistory(store: LogStore, { from = 1 }: { readonly from?: number } = {}): AsyncGenerator<LogRecord> {
  for await (const { epoch, line } of historyLines(store, from)) yield parseRecord(line, `epoch ${epoch}`);
}

/** A key's value at some time, and when it was written. */
export interface Image {
  /** JSON text, as Redis has it. */
  readonly image: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface PastState {
  /** The last commit that it has; null where nothing had happened. */
  readonly position: Position | null;
  readonly images: ReadonlyMap<string, Image>;
}

/**
 * The state as it was after commit `n`, or before the first commit later than time `at` (milliseconds since 1970); without
 * either, after the last commit. Takes memory for that state.
 * @throws LogDamageError, also where archived segments that it needs were taken away
 */
export function stateAt(store: LogStore, { n = Infinity, at = Infinity }: { readonly n?: number; readonly at?: number } = {}): Promise<PastState> {
  return fromNewestSnapshot(store, async (snapshot) => {
    const images = new Map<string, Image>();
    const apply = ({ epoch, line }: FramedLine): void => {
      eachImage(line, `epoch ${epoch}`, (key, image, time) => {
        if (image === null) images.delete(key);
        else images.set(key, { image, at: time });
      });
    };
    let position: Position | null = null;
    // A snapshot does not tell the times of the commits that are folded into it.
    if (snapshot !== null && snapshot.n <= n && at === Infinity) {
      for await (const lines of readSnapshot(store, snapshot)) lines.forEach(apply);
      position = { epoch: snapshot.epoch, n: snapshot.n };
    }
    for await (const framed of historyLines(store, (position?.n ?? 0) + 1)) {
      if (framed.n > n || (at !== Infinity && timeOf(framed) > at)) break;
      apply(framed);
      position = { epoch: framed.epoch, n: framed.n };
    }
    return { position, images };
  });
}

function timeOf({ epoch, line }: FramedLine): number {
  return Date.parse(parseRecord(line, `epoch ${epoch}`).at);
}

/** Each line is valid until the next one is asked for. */
async function* historyLines(store: LogStore, from: number): AsyncGenerator<FramedLine> {
  let next = from;
  for (let failedAt = 0; ; ) {
    try {
      const begins = await store.begins();
      const last = lastBegun(begins);
      const history = chain(begins, last);
      if (history === null) throw new LogDamageError("begin", 0, `the chain of epochs below ${last} is broken`);
      for (const stretch of history.filter(({ to }) => to >= next)) {
        // In this order: what is archived between the two is in both, and in neither otherwise.
        const segments = [...(await store.segments(stretch.epoch)), ...(await store.archived(stretch.epoch))];
        const rest = { ...stretch, from: Math.max(stretch.from, next - 1) };
        for await (const lines of readStretch(store, rest, { segments })) {
          for (const framed of lines) {
            next = framed.n + 1;
            yield framed;
          }
        }
      }
      return;
    } catch (error) {
      // A segment was archived since it was listed. Or the writers went on: one segment was read before a commit came to
      // it, and another one after the next commit had. A hole that is still there at a second look is one.
      if (!(error instanceof GoneError) && failedAt === next) throw error;
      failedAt = next;
    }
  }
}
