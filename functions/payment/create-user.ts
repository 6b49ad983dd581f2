import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../http/endpoint.ts";
import { run } from "../http/command.ts";
import { payment } from "./service.ts";
import { newUser, userKey } from "./users.ts";

/** POST /payment/create_user */
export const handler = endpoint({
  service: payment,
  handle: (call) => {
    const id = randomUUID();
    return run(call, {
      op: "create_user",
      keys: [],
      decide: () => ({ set: { [userKey(id)]: newUser(0, randomUUID()) }, answer: json({ user_id: id }) }),
    });
  },
});
