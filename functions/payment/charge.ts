import { endpoint } from "../handler/endpoint.ts";
import { charged, step, stepAnswer } from "../handler/steps.ts";
import { payment } from "./service.ts";
import { chargeUser } from "./steps.ts";

/** POST /payment/charge, for the other services: the second step of a checkout. */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/charge",
  signedBody: { ...step, ...charged },
  handle: async (call) => {
    call.notes["saga"] = call.body.saga;
    return stepAnswer(await chargeUser(call, call.body));
  },
});
