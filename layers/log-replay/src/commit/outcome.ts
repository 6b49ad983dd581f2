import { setTimeout as sleep } from "node:timers/promises";
import { OutcomeUnknownError, RolledBackError, type Connection } from "redis-occ";
import { LogDamageError } from "../errors.ts";
import { parseRecord, type Position } from "../format/record.ts";
import { isDecided, isInHistory, lastBegun, tellsOf, type Stretch } from "../protocol.ts";
import { unbroken } from "../read/chain.ts";
import { fromNewestSnapshot } from "../read/newest-snapshot.ts";
import { readStretch } from "../read/stretch.ts";
import type { LogStore } from "../stores/store.ts";
import { ASK_RECORDED, parseRecorded, type Recorded } from "../redis/recorded.ts";
import { EpochOverError } from "./epoch-writer.ts";

interface OutcomesOptions {
  readonly store: LogStore;
  /** Recovers the state, or waits for the recovery that runs, unless an epoch after `over` has begun. */
  readonly recover: (over: number) => Promise<void>;
  /** Opens a connection to Redis. */
  readonly open: () => Promise<Connection>;
  /** Aborted once the client is closed. */
  readonly closing: AbortSignal;
}

/** What became of commits whose epoch ended before they were answered. The log decides that, not Redis. */
export class Outcomes {
  readonly #options: OutcomesOptions;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /**
   * An append failed or came too late. The commit counts if the next epoch goes on after it; otherwise it never was.
   */
  async resolve(error: unknown, position: Position | null, tx: string | undefined): Promise<void> {
    if (!(error instanceof EpochOverError)) throw error;
    if (position === null) throw new RolledBackError("what was read is being restored", { cause: error });
    // Its number may be another commit's.
    if (error.wentBack && tx !== undefined) {
      if (await this.isRecorded(position.epoch, tx, 0)) return;
      throw new RolledBackError("what it was executed on had gone back to an earlier state", { cause: error });
    }
    if (!isInHistory(position, await this.#decidedHistory(position.epoch))) {
      throw new RolledBackError(`commit ${position.n} of epoch ${position.epoch} is not in the log`, { cause: error });
    }
  }

  /**
   * Whether a group's records are in the history, where they are together or not at all.
   * @param tx the group's first transaction
   * @param seen a commit of the epoch that was there before it was executed
   * @throws OutcomeUnknownError if it may have been folded into a snapshot and the archive does not have it any more
   */
  async isRecorded(epoch: number, tx: string | undefined, seen: number): Promise<boolean> {
    const { store } = this.#options;
    const stretch = (await this.#decidedHistory(epoch)).find((candidate) => candidate.epoch === epoch);
    if (stretch === undefined || tx === undefined) return false;
    // Where Redis does not answer, the log does.
    const recorded = await this.#recorded().catch(() => null);
    if (recorded !== null && recorded.store === store.id && tellsOf(recorded, stretch, seen))
      return recorded.txs.includes(tx);
    const needle = Buffer.from(`"tx":"${tx}"`);
    return fromNewestSnapshot(store, async (snapshot) => {
      const segments = [...(await store.segments(epoch)), ...(await store.archived(epoch))];
      try {
        for await (const lines of readStretch(store, stretch, { segments })) {
          if (lines.some(({ line }) => line.includes(needle) && parseRecord(line, `epoch ${epoch}`).tx === tx))
            return true;
        }
        return false;
      } catch (error) {
        if (!(error instanceof LogDamageError) || (snapshot?.n ?? 0) <= stretch.from) throw error;
        throw new OutcomeUnknownError("the log that would tell was folded, and is not in the archive any more", {
          cause: error,
        });
      }
    });
  }

  /** What the last restore tells of the commits before it; null where it does not any more. */
  async #recorded(): Promise<Recorded | null> {
    const connection = await this.#options.open();
    try {
      const [reply] = await connection.pipeline([ASK_RECORDED]);
      return parseRecorded(reply);
    } finally {
      connection.close();
    }
  }

  /**
   * The history, once it says for good what became of `epoch`, however long that takes: while Redis or the store is out
   * of reach, nobody can say, and "nothing was changed" would be a guess.
   */
  async #decidedHistory(epoch: number): Promise<readonly Stretch[]> {
    const { store } = this.#options;
    for (let pause = 50; ; pause = Math.min(2 * pause, 1_000)) {
      if (this.#options.closing.aborted)
        throw new OutcomeUnknownError("the client was closed before the outcome was known");
      try {
        const begins = await store.begins();
        const last = lastBegun(begins);
        // A begin can be seen before it is durable. A power loss must not undo what a caller is told now.
        if (last > epoch) await store.sync([]);
        if (isDecided(epoch, last, last > 0 && (await store.isSealed(last)))) {
          return unbroken(begins, last);
        }
        await this.#options.recover(epoch);
      } catch (error) {
        if ((error as { transient?: unknown }).transient !== true) throw error;
        await sleep(pause);
      }
    }
  }
}
