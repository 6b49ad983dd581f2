import * as v from "valibot";
import { endpoint } from "../handler/endpoint.ts";
import { Id } from "../http/parameters.ts";
import { assertRecent, step, stepAnswer } from "../handler/steps.ts";
import { retention } from "../settings/configuration.ts";
import { itemKey, type Item } from "./items.ts";
import { reservationKey, reserve, type Reservation } from "./reservations.ts";
import { stock } from "./service.ts";

const quantity = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** POST /stock/reserve, for the other services: the first step of a checkout. */
export const handler = endpoint({
  service: stock,
  route: "POST /stock/reserve",
  signedBody: { ...step, lines: v.pipe(v.array(v.tuple([Id, quantity])), v.minLength(1)) },
  handle: ({ body: { saga, startedAt, lines }, state, deadline, now, notes }) => {
    notes["saga"] = saga;
    assertRecent({ saga, startedAt }, now, retention());
    const marker = reservationKey(saga);
    return state.occ.transact(
      [marker, ...lines.map(([item]) => itemKey(item))],
      (view) => {
        const { set, refusal } = reserve(saga, lines, view.get<Reservation>(marker), (item) =>
          view.get<Item>(itemKey(item)),
        );
        return { result: stepAnswer(refusal), set };
      },
      { meta: { op: "reserve", saga }, timeout: deadline - now },
    );
  },
});
