import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { payment } from "./service.ts";
import { known, userKey, type User } from "./users.ts";
import { remaining } from "../deadline.ts";

/** GET /payment/find_user/{user_id} */
export const handler = endpoint({
  service: payment,
  route: "GET /payment/find_user/{user_id}",
  path: { user_id: Id },
  handle: async ({ path, state, deadline }) => {
    const [user = null] = await state.occ.read<User>([userKey(path.user_id)], { timeout: remaining(deadline) });
    return json({ user_id: path.user_id, credit: known(user, path.user_id).credit });
  },
});
