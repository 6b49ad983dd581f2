import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { id } from "../http/parameters.ts";
import { run } from "../handler/command.ts";
import { newGeneration } from "../state/generation.ts";
import { newOrder, orderKey } from "./orders.ts";
import { order } from "./service.ts";

/** POST /orders/create/{user_id} */
export const handler = endpoint({
  service: order,
  path: { user_id: id },
  handle: (call) => {
    const id = randomUUID();
    const created = newOrder(call.path.user_id, newGeneration());
    return run(call, {
      op: "create_order",
      keys: [],
      decide: () => ({ set: [[orderKey(id), created]], answer: json({ order_id: id }) }),
    });
  },
});
