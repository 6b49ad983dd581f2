import { attempt, type AttemptEnd, type AttemptOptions } from "./attempt.ts";
import { attemptChannel, type AttemptMessage } from "./diagnostics.ts";
import { backoff } from "./backoff.ts";
import {
  ClosedError,
  ConflictError,
  ConnectionLostError,
  isRefusedForGood,
  OccError,
  OutcomeUnknownError,
} from "./errors.ts";
import { RolledBackError } from "./hook.ts";
import { closeThoseElsewhere, type Lane } from "./lane.ts";
import type { Pool } from "./pool.ts";
import { fenceOff } from "./fence-off.ts";
import type { Transaction } from "./transaction.ts";

export interface CommitterOptions extends AttemptOptions {
  readonly pool: Pool<Lane>;
  readonly maxAttempts: number;
  readonly random: () => number;
  readonly name: string | undefined;
}

/** Takes the transactions that have to start over. */
export type Again = (transactions: readonly Transaction[]) => void;

/**
 * Carries groups of transactions through: attempt after attempt, until each has an answer.
 *
 * `commit` returns as soon as the group no longer needs the connection. Its answers may still wait for the hook while
 * the next group is under way.
 */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /**
   * Runs one attempt of `group`.
   * @param again takes the transactions that have to start over, at once or later when the hook says so
   */
  async commit(group: readonly Transaction[], again: Again): Promise<void> {
    const { pool } = this.#options;
    const open = group.filter((transaction) => !transaction.answered);
    if (open.length === 0) return;
    const lent = { begun: false };
    try {
      const end = await pool.with((lane) => {
        lent.begun = true;
        return this.#attempt(lane, open);
      });
      await this.#proceed(end, open, again);
    } catch (error) {
      if (lent.begun && open.length > 1 && isRefusedForGood(error)) {
        // Something in it is refused for good: each by itself, so that it is the error of the one that asked for it.
        for (const transaction of open) await this.commit([transaction], again);
      } else await this.#startOver(open, error, again);
    }
  }

  /** An attempt that tells of itself, where somebody listens. */
  async #attempt(lane: Lane, open: readonly Transaction[]): Promise<AttemptEnd> {
    if (!attemptChannel.hasSubscribers) return attempt(lane, this.#options, open);
    const started = performance.now();
    let outcome: AttemptMessage["outcome"] = "failed";
    try {
      const end = await attempt(lane, this.#options, open);
      outcome = end.kind;
      return end;
    } finally {
      const transactions = open.flatMap(({ message }) => (message === undefined ? [] : [message]));
      const { name } = this.#options;
      const told: AttemptMessage = {
        name,
        outcome,
        size: open.length,
        transactions,
        started,
        ended: performance.now(),
      };
      attemptChannel.publish(told);
    }
  }

  async #proceed(end: AttemptEnd, open: readonly Transaction[], again: Again): Promise<void> {
    switch (end.kind) {
      case "nothing":
        return again(end.again);
      case "restore":
        await this.#options.hook.restore();
        closeThoseElsewhere(this.#options.pool, this.#options.hook);
        for (const transaction of open) transaction.attempts++;
        return this.#goAgain(open, again);
      case "conflict":
        return this.#startOver(open, undefined, again);
      case "executed":
        again(end.again);
        this.#answer(end.decided, end.firm, again);
        return;
      case "half done":
        again(end.again);
        for (const transaction of end.decided) {
          if (end.error === undefined) transaction.conclude();
          else transaction.fail(end.error);
        }
        return;
      case "lost": {
        again(open.filter((transaction) => !end.lost.decided.includes(transaction)));
        await this.#findOut(end, again);
      }
    }
  }

  /** Answers the group once the hook is content, or starts it over if the hook undid it. */
  #answer(decided: readonly Transaction[], firm: Promise<void>, again: Again): void {
    firm.then(
      () => decided.forEach((transaction) => transaction.conclude()),
      (error: unknown) => {
        if (!(error instanceof RolledBackError)) {
          const answer =
            error instanceof OccError && !error.unchanged
              ? error
              : new OutcomeUnknownError("executed, but not confirmed", { cause: error });
          return decided.forEach((transaction) => transaction.fail(answer));
        }
        for (const transaction of decided) transaction.markUnsent();
        return again(decided);
      },
    );
  }

  /** Asks until it is known whether the group's EXEC ran, or until no caller is left who waits for that. */
  async #findOut(end: Extract<AttemptEnd, { kind: "lost" }>, again: Again): Promise<void> {
    const { pool, hook, random } = this.#options;
    const { decided } = end.lost;
    for (let attempts = 1; decided.some((transaction) => !transaction.answered); attempts++) {
      try {
        const ran = await fenceOff(pool, hook, end.lost);
        if (ran) return decided.forEach(concludeUnseen);
        for (const transaction of decided) transaction.markUnsent();
        return again(decided);
      } catch (error) {
        if (error instanceof OutcomeUnknownError) return decided.forEach((transaction) => transaction.fail(error));
        if (error instanceof ClosedError) {
          const unknown = new OutcomeUnknownError("the client was closed before the outcome was known", {
            cause: error,
          });
          return decided.forEach((transaction) => transaction.fail(unknown));
        }
        await backoff(attempts, random);
      }
    }
  }

  /**
   * Nothing was changed. After a conflict or a lost connection the transactions go again after a pause; their callers
   * get any other error. After a lost connection they go again until their deadlines, because a restart of Redis is no
   * conflict.
   */
  async #startOver(open: readonly Transaction[], problem: unknown, again: Again): Promise<void> {
    const { maxAttempts } = this.#options;
    for (const transaction of open) {
      transaction.attempts++;
      if (problem instanceof ConnectionLostError && problem.transient) transaction.lastProblem = problem;
      else if (problem !== undefined) transaction.fail(problem);
      else if (++transaction.conflicts >= maxAttempts) transaction.fail(new ConflictError(transaction.conflicts));
    }
    await this.#goAgain(open, again);
  }

  /** Starts those over that still wait, after a pause. */
  async #goAgain(open: readonly Transaction[], again: Again): Promise<void> {
    const left = open.filter((transaction) => !transaction.answered);
    if (left.length === 0) return;
    await backoff(Math.max(...left.map(({ attempts }) => attempts)), this.#options.random);
    again(left);
  }
}

/** It ran, and nobody has seen the replies: whether the commands that it added succeeded cannot be told. */
function concludeUnseen(transaction: Transaction): void {
  if ((transaction.write?.beyond?.commands.length ?? 0) > 0) {
    transaction.spoil(new OutcomeUnknownError("it was executed, but whether its commands succeeded is not known"));
  }
  transaction.conclude();
}
