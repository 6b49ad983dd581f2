import * as v from "valibot";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { assertRecent, step, stepAnswer } from "../handler/steps.ts";
import { retention } from "../settings/configuration.ts";
import { charge, chargeKey, type Charge } from "./charges.ts";
import { payment } from "./service.ts";
import { userKey, type User } from "./users.ts";

/** POST /payment/charge, for the other services: the second step of a checkout. */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/charge",
  signedBody: { ...step, user: Id, amount: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) },
  handle: ({ body: { saga, startedAt, user, amount }, state, deadline, now, notes }) => {
    notes["saga"] = saga;
    assertRecent({ saga, startedAt }, now, retention());
    const marker = chargeKey(saga);
    return state.occ.transact(
      [marker, userKey(user)],
      (view) => {
        const { set, refusal } = charge(saga, user, amount, view.get<Charge>(marker), (id) =>
          view.get<User>(userKey(id)),
        );
        return { result: stepAnswer(refusal), set };
      },
      { meta: { op: "charge", saga }, timeout: deadline - now },
    );
  },
});
