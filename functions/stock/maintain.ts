import { task } from "../http/task.ts";
import { retention } from "../service/configuration.ts";
import { expireIdempotency } from "../service/expire.ts";
import { stock } from "./service.ts";

/** Scheduled: restores the state where it is missing, and deletes what is past the retention. */
export const handler = task(stock, "maintain", async ({ state, deadline }) => ({
  expired: await expireIdempotency(state, Date.now() - retention(), deadline),
}));
