import type { Committer } from "./committer.ts";
import type { CommitHook } from "./hook.ts";
import type { Transaction } from "./transaction.ts";

/**
 * A group ends at these sizes, so that neither its MULTI nor what a hook makes of it grows without bound.
 *
 * WATCH compares each key with all that are watched already, and blocks Redis meanwhile (7.0, one 2 GHz core: 2 ms for
 * 500 keys, 9 ms for 1,000, 29 ms for 2,000, 16 s for 50,000).
 */
const MAX_TRANSACTIONS = 256;
const MAX_KEYS = 500;

/**
 * Group commit: while one group is under way, whoever comes waits for the next one and shares its two round trips. A
 * transaction that is alone waits for nobody. There is no timer: a group waits only for the group before it, and for
 * what the hook has to do for that one.
 *
 * One group at a time also means that transactions of one process never conflict with each other.
 */
export class GroupCommit {
  readonly #committer: Committer;
  readonly #hook: CommitHook;
  #queue: Transaction[] = [];
  #running = false;

  constructor(committer: Committer, hook: CommitHook) {
    this.#committer = committer;
    this.#hook = hook;
  }

  submit(transaction: Transaction): void {
    this.#queue.push(transaction);
    if (!this.#running) void this.#run();
  }

  /** Never rejects. The transactions that a failure concerns get it as their answer. */
  async #run(): Promise<void> {
    this.#running = true;
    // All that is submitted in this turn of the event loop belongs to the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      if (!this.#isFull()) await this.#idle();
      await this.#committer.commit(this.#take(), (transactions) => this.#putBack(transactions));
    }
    this.#running = false;
  }

  async #idle(): Promise<void> {
    try {
      await this.#hook.idle();
    } catch {
      // Those whom it concerns are told where the hook is asked for their group.
    }
  }

  /** Whether there are more than one group can have. */
  #isFull(): boolean {
    return this.#size() < this.#queue.length;
  }

  /** How many of the waiting transactions the next group can have. */
  #size(): number {
    let keys = 0;
    const beyond = this.#queue.findIndex(
      (transaction, i) => (keys += transaction.keys.size) > MAX_KEYS || i >= MAX_TRANSACTIONS,
    );
    return beyond === -1 ? this.#queue.length : Math.max(1, beyond);
  }

  #take(): Transaction[] {
    return this.#queue.splice(0, this.#size());
  }

  /** Transactions that start over go first, because they have waited longest. */
  #putBack(transactions: readonly Transaction[]): void {
    if (transactions.length === 0) return;
    this.#queue = [...transactions, ...this.#queue];
    if (!this.#running) void this.#run();
  }
}
