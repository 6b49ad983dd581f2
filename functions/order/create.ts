import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { runCommand } from "../handler/command.ts";
import { newGeneration } from "../state/generation.ts";
import { newOrder, orderKey } from "./orders.ts";
import { order } from "./service.ts";

/** POST /orders/create/{user_id} */
export const handler = endpoint({
  service: order,
  route: "POST /orders/create/{user_id}",
  path: { user_id: Id },
  handle: (call) => {
    const id = randomUUID();
    const created = newOrder(call.path.user_id, newGeneration());
    return runCommand(call, {
      op: "create_order",
      keys: [],
      decide: () => ({ set: [[orderKey(id), created]], answer: json({ order_id: id }) }),
    });
  },
});
