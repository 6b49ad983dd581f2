import { Refusal } from "../errors.ts";
import { endpoint } from "../handler/endpoint.ts";
import { remaining } from "../deadline.ts";
import { json } from "../http/answer.ts";
import { Id } from "../http/parameters.ts";
import { claimKey, known, orderKey, type Claim, type Order } from "./orders.ts";
import { sagaKey, type Saga } from "./sagas.ts";
import { order } from "./service.ts";

/** GET /orders/checkout/{order_id}: the order's latest checkout, as long as it is remembered. */
export const handler = endpoint({
  service: order,
  route: "GET /orders/checkout/{order_id}",
  path: { order_id: Id },
  handle: async ({ path: { order_id }, state, deadline }) => {
    const rows = await state.occ.read<Order | Claim>([orderKey(order_id), claimKey(order_id)], {
      timeout: remaining(deadline),
    });
    const [row, claim] = rows as [Order | null, Claim | null];
    const { checkout } = known(row, order_id);
    const saga = claim?.saga ?? checkout;
    const [record = null] =
      saga === undefined ? [] : await state.occ.read<Saga>([sagaKey(saga)], { timeout: remaining(deadline) });
    if (record === null) throw new Refusal("no_checkout", `order ${order_id} has no checkout that is remembered`);
    const { state: standing, failure } = record;
    return json({
      saga_id: saga,
      state: standing,
      ...(failure === undefined ? {} : { failure: { code: failure.code, message: failure.message } }),
    });
  },
});
