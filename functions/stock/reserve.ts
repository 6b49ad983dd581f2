import { endpoint } from "../handler/endpoint.ts";
import { lines, step, stepAnswer } from "../handler/steps.ts";
import { stock } from "./service.ts";
import { reserveStock } from "./steps.ts";

/** POST /stock/reserve, for the other services: the first step of a checkout. */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/reserve",
  signedBody: { ...step, lines },
  handle: async (call) => {
    call.notes["saga"] = call.body.saga;
    return stepAnswer(await reserveStock(call, call.body));
  },
});
