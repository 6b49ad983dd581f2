import { setTimeout as sleep } from "node:timers/promises";
import { backoffOf } from "./backoff.ts";
import { checkDuration, checkFunction, checkNames, checkSignal } from "./options.ts";

const KNOWN: ReadonlySet<string> = new Set(["signal", "timeout"]);

/**
 * How long to go on.
 *
 * @example
 * const options: RetryOptions = { signal: AbortSignal.timeout(5_000) };
 */
export interface RetryOptions {
  /** Ends the pauses; the latest error is then thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which no further try begins. Default 30,000. */
  readonly timeout?: number;
}

/**
 * Calls `attempt` until it succeeds, or fails with something that a repetition cannot help or must not repeat: only errors with
 * `unchanged` and `transient` are followed by another try, after a random pause that grows up to a second. Of errors of
 * redis-occ and log-replay alike.
 *
 * @example
 * const left = await retry(() => occ.transact(["seats"], book), { signal: request.signal });
 *
 * @throws the latest error of `attempt`; TypeError for a call that makes no sense
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  checkFunction("attempt", attempt);
  checkNames("options", options, KNOWN);
  const { signal, timeout = 30_000 } = options;
  if (signal !== undefined) checkSignal(signal);
  checkDuration("timeout", timeout);
  const end = performance.now() + timeout;
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      const { unchanged, transient } = error as { readonly unchanged?: unknown; readonly transient?: unknown };
      const pause = backoffOf(attempts, LONGEST_PAUSE);
      if (unchanged !== true || transient !== true || signal?.aborted || performance.now() + pause >= end) throw error;
      await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      if (signal?.aborted) throw error;
    }
  }
}

/** Milliseconds. */
const LONGEST_PAUSE = 1_000;
