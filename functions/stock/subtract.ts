import { text } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Amount, Id } from "../http/parameters.ts";
import { runCommand } from "../handler/command.ts";
import { subtract, itemKey, known, type Item } from "./items.ts";
import { stock } from "./service.ts";

/** POST /stock/subtract/{item_id}/{amount} */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/subtract/{item_id}/{amount}",
  path: { item_id: Id, amount: Amount },
  handle: (call) => {
    const { item_id, amount } = call.path;
    const key = itemKey(item_id);
    return runCommand(call, {
      op: "subtract",
      keys: [key],
      decide: (view) => {
        const item = subtract(known(view.get<Item>(key), item_id), amount, item_id);
        return { set: amount === 0 ? [] : [[key, item]], answer: text(item.stock) };
      },
    });
  },
});
