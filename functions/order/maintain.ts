import { task, type Run } from "../http/task.ts";
import { httpClient } from "../http/service-client.ts";
import { retention, stepTimeout } from "../service/configuration.ts";
import { expireIdempotency } from "../service/expire.ts";
import { isSettled, SAGAS, type Saga } from "./sagas.ts";
import { order } from "./service.ts";
import { servicesBehind } from "./services.ts";

/** Sagas whose markers are dropped by one call. */
const CHUNK = 100;

/** Scheduled: restores the state where it is missing, and deletes what is past the retention. */
export const handler = task(order, "maintain", async (run) => ({
  expired: await expireIdempotency(run.state, retention(), run.deadline),
  forgotten: await forgetSagas(run),
}));

/**
 * Deletes the records of sagas that were settled before the retention. Their markers in the other services go first: a
 * saga is deleted only once nobody has anything of it. A step of such a saga that still comes is refused for its age.
 */
async function forgetSagas({ state, deadline }: Run): Promise<number> {
  const services = servicesBehind(httpClient);
  let forgotten = 0;
  const until = Date.now() - retention();
  while (Date.now() < deadline) {
    const options = { timeout: deadline - Date.now() };
    const keys = await state.keys(SAGAS, { until, limit: CHUNK, ...options });
    const records = await state.occ.read<Saga>(keys, options);
    const settled = keys.filter((_, i) => records[i] && isSettled(records[i]));
    if (settled.length === 0) break;
    const sagas = settled.map((key) => key.slice(SAGAS.length));
    await services.step("/payment/forget", { sagas }, stepTimeout());
    await services.step("/stock/forget", { sagas }, stepTimeout());
    await state.occ.transactAlone([], () => ({ result: null, set: Object.fromEntries(settled.map((key) => [key, null])) }), { meta: { op: "expire" }, ...options });
    forgotten += settled.length;
  }
  return forgotten;
}
