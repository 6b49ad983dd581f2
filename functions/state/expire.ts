import type { LoggedRedis } from "log-replay";
import { IDEMPOTENCY, type Remembered } from "./idempotency.ts";

/** Records of one transaction. */
const CHUNK = 250;

/**
 * Deletes the idempotency records that were written at or before `until`, by logged transactions.
 * @param until milliseconds since 1970
 * @param deadline milliseconds since 1970
 * @returns how many
 */
export async function expireIdempotency(state: LoggedRedis, until: number, deadline: number): Promise<number> {
  let expired = 0;
  for (let left = deadline - Date.now(); left > 0; left = deadline - Date.now()) {
    const keys = await state.keys(IDEMPOTENCY, { until, limit: CHUNK, timeout: left });
    if (keys.length === 0) break;
    // They are read again: since they were listed, another process may have deleted one, and its key may have been used
    // anew.
    expired += await state.occ.transactAlone(
      keys,
      (view) => {
        const old = keys.filter((key) => (view.get<Remembered>(key)?.at ?? Infinity) <= until);
        return { result: old.length, set: old.map((key) => [key, null] as const) };
      },
      { meta: { op: "expire" }, timeout: left },
    );
  }
  return expired;
}
