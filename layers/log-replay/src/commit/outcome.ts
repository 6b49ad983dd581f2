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

/** What became of an epoch: what a restore tells, or the history. */
type Decided = { readonly told: Recorded } | { readonly history: readonly Stretch[] };

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
    const decided = await this.#decided(position.epoch, Infinity);
    const isThere = "told" in decided ? position.n <= decided.told.to : isInHistory(position, decided.history);
    if (!isThere)
      throw new RolledBackError(`commit ${position.n} of epoch ${position.epoch} is not in the log`, { cause: error });
  }

  /**
   * Whether a group's records are in the history, where they are together or not at all.
   * @param tx the group's first transaction
   * @param seen a commit of the epoch that was there before it was executed
   * @throws OutcomeUnknownError if it may have been folded into a snapshot and the archive does not have it any more
   */
  async isRecorded(epoch: number, tx: string | undefined, seen: number): Promise<boolean> {
    const { store } = this.#options;
    const decided = await this.#decided(epoch, seen);
    if (tx === undefined) return false;
    if ("told" in decided) return decided.told.txs.includes(tx);
    const stretch = decided.history.find((candidate) => candidate.epoch === epoch);
    if (stretch === undefined) return false;
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

  /**
   * What became of `epoch` for good, however long that takes: while Redis or the store is out of reach, nobody can say, and "nothing
   * was changed" would be a guess. Whoever is not told by the restore asks the log.
   * @param seen as that of `tellsOf`
   */
  async #decided(epoch: number, seen: number): Promise<Decided> {
    const { recover, closing } = this.#options;
    let over = epoch;
    for (let pause = 50; ; pause = Math.min(2 * pause, 1_000)) {
      if (closing.aborted) throw new OutcomeUnknownError("the client was closed before the outcome was known");
      try {
        // Before the log is asked, which does not know until somebody has recovered.
        const failure = await recover(over).then(
          () => null,
          (error: unknown) => error as Error,
        );
        const told = failure === null ? await this.#told(epoch, seen) : null;
        if (told !== null) return { told };
        // Where Redis does not answer, the log does.
        const { history, last } = await this.#logged(epoch);
        if (history !== null) return { history };
        if (failure !== null) throw failure;
        // It is sealed, which a recovery does not see in its guard.
        if (last > over) over = last;
        else await sleep(pause);
      } catch (error) {
        if ((error as { transient?: unknown }).transient !== true) throw error;
        await sleep(pause);
      }
    }
  }

  async #told(epoch: number, seen: number): Promise<Recorded | null> {
    const { store } = this.#options;
    const told = await this.#recorded().catch(() => null);
    if (told === null || told.store !== store.id || !tellsOf(told, epoch, seen)) return null;
    // Where its claims are gone, the log has more to tell.
    return (await store.isSealed(told.next).catch(() => true)) ? null : told;
  }

  /** The history, if it is decided what it has of `epoch`, and its last epoch. */
  async #logged(epoch: number): Promise<{ readonly history: readonly Stretch[] | null; readonly last: number }> {
    const { store } = this.#options;
    const begins = await store.begins();
    const last = lastBegun(begins);
    // A begin can be seen before it is durable. A power loss must not undo what a caller is told now.
    if (last > epoch) await store.sync([]);
    const sealed = last > 0 && (await store.isSealed(last));
    return { history: isDecided(epoch, last, sealed) ? unbroken(begins, last) : null, last };
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
}
