import { randomUUID } from "node:crypto";
import { json } from "../http/answer.ts";
import { endpoint } from "../handler/endpoint.ts";
import { runCommand } from "../handler/command.ts";
import { newGeneration } from "../state/generation.ts";
import { payment } from "./service.ts";
import { newUser, userKey } from "./users.ts";

/** POST /payment/create_user */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/create_user",
  handle: (call) => {
    const id = randomUUID();
    const created = newUser(0, newGeneration());
    return runCommand(call, {
      op: "create_user",
      keys: [],
      decide: () => ({ set: [[userKey(id), created]], answer: json({ user_id: id }) }),
    });
  },
});
