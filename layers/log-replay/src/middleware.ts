import { RestoringError } from "./errors.ts";
import type { LoggedRedis } from "./logged-redis.ts";

/** As much of a Lambda invocation as the middleware needs. */
interface Request {
  readonly context: { getRemainingTimeInMillis?: () => number };
}

/**
 * Which state, and how long an invocation waits for it.
 *
 * @example
 * const options: RestoreStateOptions = { state: openState, timeout: 5_000 };
 */
export interface RestoreStateOptions {
  /** Gives the state that the handler works with. */
  readonly state: () => Promise<LoggedRedis>;
  /** Milliseconds that an invocation waits for a restore at most. Default 10,000. */
  readonly timeout?: number;
  /** Milliseconds of the invocation's own time that are left for its answer. Default 1,000. */
  readonly reserve?: number;
}

/**
 * Middleware for middy: the handler runs only once the state is there. The first invocation of a process looks, and
 * restores what is missing or waits for whoever does. Later ones pass, because each transaction checks by itself.
 *
 * @example
 * export const handler = middy().use(restoreState({ state: openState })).handler(sell);
 *
 * @throws RestoringError if the restore takes longer than the invocation can wait
 */
export function restoreState({ state, timeout = 10_000, reserve = 1_000 }: RestoreStateOptions): {
  before: (request: Request) => Promise<void>;
} {
  return {
    before: async ({ context }) => {
      const remaining = context.getRemainingTimeInMillis?.() ?? Infinity;
      const patience = Math.min(timeout, remaining - reserve);
      if (patience <= 0) throw new RestoringError("no time left to wait for the state");
      await (await state()).ready({ timeout: patience });
    },
  };
}
