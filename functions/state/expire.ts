import type { LoggedRedis } from "log-replay";
import { remaining } from "../deadline.ts";
import { IDEMPOTENCY, type Remembered } from "./idempotency.ts";

/** Records of one transaction. */
const CHUNK = 250;
/** Milliseconds by which clocks may differ; a time that is further ahead is wrong. */
const WRONG_CLOCK = 60_000;

/**
 * Deletes the idempotency records that were written at or before `until`, by logged transactions.
 *
 * A record whose own time is still to come was written by a clock that was wrong: it goes with the old ones that the index names
 * beside it, or it would stay until that time.
 *
 * @param until milliseconds since 1970
 * @param deadline milliseconds since 1970
 * @returns how many
 */
export async function expireIdempotency(state: LoggedRedis, until: number, deadline: number): Promise<number> {
  let expired = 0;
  // Records that were used anew since they were listed must not be listed again and again.
  let passedOver = 0;
  for (let left = deadline - Date.now(); left > 0; left = deadline - Date.now()) {
    const listed = await state.keys(IDEMPOTENCY, { until, limit: passedOver + CHUNK, timeout: left });
    const keys = listed.slice(passedOver);
    if (keys.length === 0) break;
    // They are read again: since they were listed, another process may have deleted one, and its key may have been used
    // anew.
    const now = Date.now();
    const deleted = await state.occ.transactAlone(
      keys,
      (view) => {
        const old = keys.filter((key) => {
          const at = view.get<Remembered>(key)?.at ?? Infinity;
          return at <= until || (at > now + WRONG_CLOCK && at !== Infinity);
        });
        return { result: old.length, set: old.map((key) => [key, null] as const) };
      },
      { meta: { op: "expire" }, timeout: remaining(deadline) },
    );
    expired += deleted;
    passedOver += keys.length - deleted;
  }
  return expired;
}
