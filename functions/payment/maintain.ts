import { task } from "../handler/task.ts";
import { retention } from "../settings/configuration.ts";
import { expireIdempotency } from "../state/expire.ts";
import { payment } from "./service.ts";

/** Scheduled: restores the state where it is missing, and deletes what is past the retention. */
export const handler = task(payment, "maintain", async ({ state, deadline }) => ({
  expired: await expireIdempotency(state, Date.now() - retention(), deadline),
}));
