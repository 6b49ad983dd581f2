import { endpoint } from "../handler/endpoint.ts";
import { step, stepAnswer } from "../handler/steps.ts";
import { stock } from "./service.ts";
import { releaseStock } from "./steps.ts";

/** POST /stock/release, for the other services: undoes a reservation, made or still to come. */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/release",
  signedBody: step,
  handle: async (call) => {
    call.notes["saga"] = call.body.saga;
    await releaseStock(call, call.body);
    return stepAnswer(undefined);
  },
});
