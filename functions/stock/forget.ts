import { endpoint } from "../handler/endpoint.ts";
import { sagas, stepAnswer } from "../handler/steps.ts";
import { itemKey, type Item } from "./items.ts";
import { forget, heldItems, reservationKey, type Reservation } from "./reservations.ts";
import { stock } from "./service.ts";
import { remaining } from "../deadline.ts";

/** POST /stock/forget, for the other services: drops the markers of sagas that are settled and past their retention. */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/forget",
  signedBody: { sagas },
  handle: async ({ body, state, deadline }) => {
    await Promise.all(
      body.sagas.map((saga) => {
        const key = reservationKey(saga);
        return state.occ.transact(
          [key],
          (view) => {
            const marker = view.get<Reservation>(key);
            view.need(heldItems(marker).map(itemKey));
            return { result: null, set: forget(saga, marker, (item) => view.get<Item>(itemKey(item))) };
          },
          { meta: { op: "forget", saga }, timeout: remaining(deadline) },
        );
      }),
    );
    return stepAnswer(undefined);
  },
});
