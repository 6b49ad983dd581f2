import { randomInt } from "node:crypto";
import { CheckoutRunningError } from "../errors.ts";
import { endpoint, type Call } from "../handler/endpoint.ts";
import { BatchSize, Price, Quantity } from "../http/parameters.ts";
import { product } from "../numbers.ts";
import { BATCH_PATIENCE, runBatch } from "../handler/batch.ts";
import { newGeneration } from "../state/generation.ts";
import { CLAIMS, claimKey, orderKey, type Order } from "./orders.ts";
import { order } from "./service.ts";
import { remaining } from "../deadline.ts";

/** The largest bound that node:crypto draws below. */
const MAX_DRAW = 2 ** 48 - 1;

const draw = (bound: number): string => String(randomInt(Math.min(bound, MAX_DRAW)));

/** POST /orders/batch_init/{n}/{n_items}/{n_users}/{item_price} */
export const handler = endpoint({
  service: order,
  route: "POST /orders/batch_init/{n}/{n_items}/{n_users}/{item_price}",
  path: { n: BatchSize, n_items: Quantity, n_users: Quantity, item_price: Price },
  patience: BATCH_PATIENCE,
  handle: (call) => {
    const { n, n_items, n_users, item_price } = call.path;
    // Set by `precheck`: a request that was answered before gets its answer again, whatever its parameters come to.
    let total = 0;
    // One generation for the batch: it tells its rows from those of any other.
    const generation = newGeneration();
    const make = (): Order => {
      const [first, second] = [draw(n_items), draw(n_items)];
      const items: Order["items"] =
        first === second
          ? [[first, 2]]
          : [
              [first, 1],
              [second, 1],
            ];
      return { user: draw(n_users), items, total, paid: false, generation };
    };
    return runBatch(call, {
      op: "batch_init",
      count: n,
      row: (id) => [orderKey(id), make()],
      blocker: { key: claimKey, refuse: running },
      precheck: async () => {
        total = product("an order's total", 2, item_price);
        await assertNoneRuns(call, n);
      },
      done: "Batch init for orders successful",
    });
  },
});

const running = (id: string): CheckoutRunningError =>
  new CheckoutRunningError(`the checkout of order ${id} is running`);

/** Refuses before anything is overwritten. Each chunk looks again: a checkout may start in between. */
async function assertNoneRuns({ state, deadline }: Call, n: number): Promise<void> {
  const claims = await state.keys(CLAIMS, { limit: Number.MAX_SAFE_INTEGER, timeout: remaining(deadline) });
  const id = claims
    .map((key) => key.slice(CLAIMS.length))
    .find((candidate) => /^(0|[1-9]\d*)$/.test(candidate) && Number(candidate) < n);
  if (id !== undefined) throw running(id);
}
