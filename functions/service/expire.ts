import type { LoggedRedis } from "log-replay";
import { IDEMPOTENCY } from "./idempotency.ts";

/** Records of one transaction. */
const CHUNK = 500;

/**
 * Deletes the idempotency records that are older than the retention, by logged transactions.
 * @param deadline milliseconds since 1970
 * @returns how many
 */
export async function expireIdempotency(state: LoggedRedis, retention: number, deadline: number): Promise<number> {
  let expired = 0;
  while (Date.now() < deadline) {
    const timeout = deadline - Date.now();
    const keys = await state.keys(IDEMPOTENCY, { until: Date.now() - retention, limit: CHUNK, timeout });
    if (keys.length === 0) break;
    // Deleted unread: a record is written when its request starts and once more at most, long before this.
    await state.occ.transactAlone([], () => ({ result: null, set: Object.fromEntries(keys.map((key) => [key, null])) }), { meta: { op: "expire" }, timeout });
    expired += keys.length;
  }
  return expired;
}
