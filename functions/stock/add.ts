import { text } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Amount, Id } from "../http/parameters.ts";
import { runCommand } from "../handler/command.ts";
import { add, itemKey, known, type Item } from "./items.ts";
import { stock } from "./service.ts";

/** POST /stock/add/{item_id}/{amount} */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/add/{item_id}/{amount}",
  path: { item_id: Id, amount: Amount },
  handle: (call) => {
    const { item_id, amount } = call.path;
    const key = itemKey(item_id);
    return runCommand(call, {
      op: "add",
      keys: [key],
      decide: (view) => {
        const item = add(known(view.get<Item>(key), item_id), amount);
        return { set: amount === 0 ? [] : [[key, item]], answer: text(item.stock) };
      },
    });
  },
});
