import { endpoint } from "../handler/endpoint.ts";
import { sagas, stepAnswer } from "../handler/steps.ts";
import { chargeKey, forget, type Charge } from "./charges.ts";
import { payment } from "./service.ts";
import { userKey, type User } from "./users.ts";
import { remaining } from "../deadline.ts";

/** POST /payment/forget, for the other services: drops the markers of sagas that are settled and past their retention. */
export const handler = endpoint({
  service: payment,
  route: "POST /payment/forget",
  signedBody: { sagas },
  handle: async ({ body, state, deadline }) => {
    await Promise.all(
      body.sagas.map((saga) => {
        const key = chargeKey(saga);
        return state.occ.transact(
          [key],
          (view) => ({
            result: null,
            set: forget(saga, view.get<Charge>(key), (user) => view.get<User>(userKey(user))),
          }),
          { meta: { op: "forget", saga }, timeout: remaining(deadline) },
        );
      }),
    );
    return stepAnswer(undefined);
  },
});
