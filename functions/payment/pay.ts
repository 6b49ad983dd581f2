import { text } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { Amount, Id } from "../http/parameters.ts";
import { runCommand } from "../handler/command.ts";
import { payment } from "./service.ts";
import { known, pay, userKey, type User } from "./users.ts";

/** POST /payment/pay/{user_id}/{amount} */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/pay/{user_id}/{amount}",
  path: { user_id: Id, amount: Amount },
  handle: (call) => {
    const { user_id, amount } = call.path;
    const key = userKey(user_id);
    return runCommand(call, {
      op: "pay",
      keys: [key],
      decide: (view) => {
        const user = pay(known(view.get<User>(key), user_id), amount, user_id);
        return { set: amount === 0 ? [] : [[key, user]], answer: text(user.credit) };
      },
    });
  },
});
