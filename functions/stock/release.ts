import { endpoint } from "../handler/endpoint.ts";
import { step, stepAnswer } from "../handler/steps.ts";
import { itemKey, type Item } from "./items.ts";
import { heldItems, release, reservationKey, type Reservation } from "./reservations.ts";
import { stock } from "./service.ts";

/** POST /stock/release, for the other services: undoes a reservation, made or still to come. */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/release",
  signedBody: step,
  handle: ({ body: { saga }, state, deadline, now, notes }) => {
    notes["saga"] = saga;
    const key = reservationKey(saga);
    return state.occ.transact(
      [key],
      (view) => {
        const marker = view.get<Reservation>(key);
        view.need(heldItems(marker).map(itemKey));
        return { result: stepAnswer(undefined), set: release(saga, marker, (item) => view.get<Item>(itemKey(item))) };
      },
      { meta: { op: "release", saga }, timeout: deadline - now },
    );
  },
});
