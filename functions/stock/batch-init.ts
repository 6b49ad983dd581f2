import { endpoint } from "../handler/endpoint.ts";
import { BatchSize, Price } from "../http/parameters.ts";
import { BATCH_PATIENCE, runBatch } from "../handler/batch.ts";
import { newGeneration } from "../state/generation.ts";
import { itemKey, newItem } from "./items.ts";
import { stock } from "./service.ts";

/** POST /stock/batch_init/{n}/{starting_stock}/{item_price} */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/batch_init/{n}/{starting_stock}/{item_price}",
  path: { n: BatchSize, starting_stock: Price, item_price: Price },
  patience: BATCH_PATIENCE,
  handle: (call) => {
    const { n, starting_stock, item_price } = call.path;
    // One generation for the batch: it tells its rows from those of any other.
    const generation = newGeneration();
    return runBatch(call, {
      op: "batch_init",
      count: n,
      row: (id) => [itemKey(id), newItem(item_price, starting_stock, generation)],
      done: "Batch init for stock successful",
    });
  },
});
