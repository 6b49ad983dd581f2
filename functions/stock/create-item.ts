import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Price } from "../http/parameters.ts";
import { runCommand } from "../handler/command.ts";
import { newGeneration } from "../state/generation.ts";
import { itemKey, newItem } from "./items.ts";
import { stock } from "./service.ts";

/** POST /stock/item/create/{price} */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/item/create/{price}",
  path: { price: Price },
  handle: (call) => {
    const id = randomUUID();
    const created = newItem(call.path.price, 0, newGeneration());
    return runCommand(call, {
      op: "create_item",
      keys: [],
      decide: () => ({ set: [[itemKey(id), created]], answer: json({ item_id: id }) }),
    });
  },
});
