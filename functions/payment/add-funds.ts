import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { amount, id } from "../http/parameters.ts";
import { run } from "../handler/command.ts";
import { payment } from "./service.ts";
import { addFunds, known, userKey, type User } from "./users.ts";

/** POST /payment/add_funds/{user_id}/{amount} */
export const handler = endpoint({
  service: payment,
  path: { user_id: id, amount },
  handle: (call) => {
    const { user_id, amount } = call.path;
    const key = userKey(user_id);
    return run(call, {
      op: "add_funds",
      keys: [key],
      decide: (view) => ({
        set: [[key, addFunds(known(view.get<User>(key), user_id), amount)]],
        answer: json({ done: true }),
      }),
    });
  },
});
