import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../http/endpoint.ts";
import { run } from "../http/command.ts";
import { newGeneration } from "../service/generation.ts";
import { payment } from "./service.ts";
import { newUser, userKey } from "./users.ts";

/** POST /payment/create_user */
export const handler = endpoint({
  service: payment,
  handle: (call) => {
    const id = randomUUID();
    const created = newUser(0, newGeneration());
    return run(call, {
      op: "create_user",
      keys: [],
      decide: () => ({ set: [[userKey(id), created]], answer: json({ user_id: id }) }),
    });
  },
});
