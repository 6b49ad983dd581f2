import { endpoint } from "../handler/endpoint.ts";
import { step, stepAnswer } from "../handler/steps.ts";
import { payment } from "./service.ts";
import { refundUser } from "./steps.ts";

/** POST /payment/refund, for the other services: undoes a charge, made or still to come. */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/refund",
  signedBody: step,
  handle: async (call) => {
    call.notes["saga"] = call.body.saga;
    await refundUser(call, call.body);
    return stepAnswer(undefined);
  },
});
