import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { itemKey, known, type Item } from "./items.ts";
import { stock } from "./service.ts";
import { remaining } from "../deadline.ts";

/** GET /stock/find/{item_id} */
export const handler = endpoint({
  service: stock,
  route: "GET /stock/find/{item_id}",
  path: { item_id: Id },
  handle: async ({ path, state, deadline }) => {
    const [item = null] = await state.occ.read<Item>([itemKey(path.item_id)], { timeout: remaining(deadline) });
    const found = known(item, path.item_id);
    return json({ stock: found.stock, price: found.price });
  },
});
