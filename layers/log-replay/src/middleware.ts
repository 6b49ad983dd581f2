import { RestoringError } from "./errors.ts";
import type { LoggedRedis } from "./logged-redis.ts";

/** As much of a Lambda invocation as the middleware needs. */
interface Request {
  readonly context: { getRemainingTimeInMillis?: () => number };
}

/** Milliseconds: as long as a Lambda may run. */
const LONGEST_RESTORE = 900_000;

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
  /**
   * For processes that are stopped once they have answered, as Lambda's are: an invocation is answered only once the restore that its
   * own process makes has ended, as far as its time goes, whatever the answer is: a handler may have made one of an error, and the
   * outcome of a transaction may be unknown because of the restore. Else nobody restores until the same process is invoked again.
   * Default false.
   */
  readonly finish?: boolean;
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
export function restoreState({ state, timeout = 10_000, reserve = 1_000, finish = false }: RestoreStateOptions): {
  before: (request: Request) => Promise<void>;
  after: (request: Request) => Promise<void>;
  onError: (request: Request) => Promise<void>;
} {
  let opened: LoggedRedis | undefined;
  const left = ({ context }: Request): number => (context.getRemainingTimeInMillis?.() ?? Infinity) - reserve;
  const finished = async (request: Request): Promise<void> => {
    const patience = Math.min(LONGEST_RESTORE, left(request));
    // Where it could not be opened there is nothing to finish.
    if (finish && patience > 0) await opened?.restored({ timeout: patience });
  };
  return {
    before: async (request) => {
      const patience = Math.min(timeout, left(request));
      if (patience <= 0) throw new RestoringError("no time left to wait for the state");
      opened = await state();
      await opened.ready({ timeout: patience });
    },
    after: finished,
    onError: finished,
  };
}
