import { endpoint } from "../handler/endpoint.ts";
import { step, stepAnswer } from "../handler/steps.ts";
import { chargeKey, refund, type Charge } from "./charges.ts";
import { payment } from "./service.ts";
import { userKey, type User } from "./users.ts";

/** POST /payment/refund, for the other services: undoes a charge, made or still to come. */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/refund",
  signedBody: step,
  handle: ({ body: { saga }, state, deadline, now, notes }) => {
    notes["saga"] = saga;
    const key = chargeKey(saga);
    return state.occ.transact(
      [key],
      (view) => ({
        result: stepAnswer(undefined),
        set: refund(saga, view.get<Charge>(key), (user) => view.get<User>(userKey(user))),
      }),
      { meta: { op: "refund", saga }, timeout: deadline - now },
    );
  },
});
