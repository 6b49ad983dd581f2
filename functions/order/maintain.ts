import { remaining } from "../deadline.ts";
import { task, type TaskRun } from "../handler/task.ts";
import { directClient } from "../calls/direct-client.ts";
import { retention, stepTimeout } from "../settings/configuration.ts";
import { expireIdempotency } from "../state/expire.ts";
import { isSettled, SAGAS, type Saga } from "./sagas.ts";
import { order } from "./service.ts";
import { peersBehind } from "./peers.ts";

/** Sagas whose markers are dropped by one call. */
const CHUNK = 100;

/** Scheduled: restores the state where it is missing, and deletes what is past the retention. */
export const handler = task(order, "maintain", async (run) => {
  // Both at one moment and in this order, so that no idempotency record outlives the saga that it names.
  const until = Date.now() - retention();
  return {
    expired: await expireIdempotency(run.state, until, run.deadline),
    forgotten: await forgetSagas(run, until),
  };
});

/**
 * Deletes the records of sagas that were settled before the retention. Their markers in the other services go first, so
 * a saga is deleted only once nobody has anything of it. If a step of such a saga still comes, it is refused for its
 * age.
 */
async function forgetSagas({ state, deadline }: TaskRun, until: number): Promise<number> {
  const peers = peersBehind(directClient);
  let forgotten = 0;
  // Sagas that are still open stay in the list however old they are, and must not hide the others.
  let passedOver = 0;
  for (let left = deadline - Date.now(); left > 0; left = deadline - Date.now()) {
    const keys = (await state.keys(SAGAS, { until, limit: passedOver + CHUNK, timeout: left })).slice(passedOver);
    if (keys.length === 0) break;
    const records = await state.occ.read<Saga>(keys, { timeout: remaining(deadline) });
    const settled = keys.filter((_, i) => records[i] && isSettled(records[i]));
    passedOver += keys.length - settled.length;
    if (settled.length === 0) continue;
    const sagas = settled.map((key) => key.slice(SAGAS.length));
    await peers.step("/payment/forget", { sagas }, Math.min(stepTimeout(), remaining(deadline)));
    await peers.step("/stock/forget", { sagas }, Math.min(stepTimeout(), remaining(deadline)));
    await state.occ.transactAlone([], () => ({ result: null, set: settled.map((key) => [key, null] as const) }), {
      meta: { op: "expire" },
      timeout: remaining(deadline),
    });
    forgotten += settled.length;
  }
  return forgotten;
}
