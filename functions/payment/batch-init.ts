import { endpoint } from "../handler/endpoint.ts";
import { BatchSize, Price } from "../http/parameters.ts";
import { BATCH_PATIENCE, runBatch } from "../handler/batch.ts";
import { newGeneration } from "../state/generation.ts";
import { payment } from "./service.ts";
import { newUser, userKey } from "./users.ts";

/** POST /payment/batch_init/{n}/{starting_money} */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/batch_init/{n}/{starting_money}",
  path: { n: BatchSize, starting_money: Price },
  patience: BATCH_PATIENCE,
  handle: (call) => {
    const { n, starting_money } = call.path;
    // One generation for the batch: it tells its rows from those of any other.
    const generation = newGeneration();
    return runBatch(call, {
      op: "batch_init",
      count: n,
      row: (id) => [userKey(id), newUser(starting_money, generation)],
      done: "Batch init for users successful",
    });
  },
});
