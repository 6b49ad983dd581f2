import { Refusal } from "../errors.ts";
import { text } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Id, Quantity } from "../http/parameters.ts";
import { directClient } from "../calls/direct-client.ts";
import { runCommand } from "../handler/command.ts";
import { remaining } from "../deadline.ts";
import { stepTimeout } from "../settings/configuration.ts";
import { addItem, assertFree, claimKey, known, orderKey, type Claim, type Order } from "./orders.ts";
import { order } from "./service.ts";
import { peersBehind } from "./peers.ts";

/** POST /orders/addItem/{order_id}/{item_id}/{quantity} */
export const handler = endpoint({
  service: order,
  route: "POST /orders/addItem/{order_id}/{item_id}/{quantity}",
  path: { order_id: Id, item_id: Id, quantity: Quantity },
  handle: async (call) => {
    const { order_id, item_id, quantity } = call.path;
    const [orderRow, claimRow] = [orderKey(order_id), claimKey(order_id)];
    return runCommand(call, {
      op: "add_item",
      keys: [orderRow, claimRow],
      ask: () => priceOrRefusal(item_id, Math.min(stepTimeout(), remaining(call.deadline)), call.trace),
      decide: (view, price) => {
        const present = known(view.get<Order>(orderRow), order_id);
        assertFree(view.get<Claim>(claimRow), order_id);
        if (price instanceof Refusal) throw price;
        const changed = addItem(present, item_id, quantity, price);
        return { set: [[orderRow, changed]], answer: text(changed.total) };
      },
    });
  },
});

/** A refusal is returned, not thrown: the transaction looks at the order first, and refuses an unknown order before an unknown item. */
async function priceOrRefusal(item: string, timeout: number, trace: string): Promise<number | Refusal> {
  try {
    return await peersBehind(directClient).priceOf(item, timeout, trace);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
