import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { known, orderKey, type Order } from "./orders.ts";
import { order } from "./service.ts";
import { remaining } from "../deadline.ts";

/** GET /orders/find/{order_id} */
export const handler = endpoint({
  service: order,
  route: "GET /orders/find/{order_id}",
  path: { order_id: Id },
  handle: async ({ path: { order_id }, state, deadline }) => {
    const [found = null] = await state.occ.read<Order>([orderKey(order_id)], { timeout: remaining(deadline) });
    const { paid, items, user, total } = known(found, order_id);
    return json({ order_id, paid, items, user_id: user, total_cost: total });
  },
});
