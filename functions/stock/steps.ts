/** The steps of a checkout that are stock's: for its routes, and for its queue. Each may be done again, and changes nothing then. */
import type { Reason, Refusal } from "../errors.ts";
import { assertRecent, isForgotten, type SagaStart, type StepWork } from "../handler/steps.ts";
import { retention } from "../settings/configuration.ts";
import { itemKey, type Item } from "./items.ts";
import { heldItems, release, reservationKey, reserve, type Lines, type Reservation } from "./reservations.ts";
import { remaining } from "../deadline.ts";

/** @returns the refusal, durable, where it is one @throws Refusal saga_expired, of which nothing is written */
export async function reserveStock(
  { state, now, deadline }: StepWork,
  { saga, startedAt, lines }: SagaStart & { readonly lines: Lines },
): Promise<Refusal | undefined> {
  assertRecent({ saga, startedAt }, now, retention());
  const marker = reservationKey(saga);
  return state.occ.transact(
    [marker, ...lines.map(([item]) => itemKey(item))],
    (view) => {
      const { set, refusal } = reserve(saga, lines, view.get<Reservation>(marker), (item) =>
        view.get<Item>(itemKey(item)),
      );
      return { result: refusal, set };
    },
    { meta: { op: "reserve", saga }, timeout: remaining(deadline) },
  );
}

/** @param why the refusal of a later step for which it is released, where it is that */
export function releaseStock(
  { state, now, deadline }: StepWork,
  { saga, startedAt }: SagaStart,
  why?: Reason,
): Promise<void> {
  const key = reservationKey(saga);
  return state.occ.transact(
    [key],
    (view) => {
      const marker = view.get<Reservation>(key);
      if (marker === null && isForgotten({ saga, startedAt }, now, retention())) return { result: undefined };
      view.need(heldItems(marker).map(itemKey));
      return { result: undefined, set: release(saga, marker, (item) => view.get<Item>(itemKey(item)), why) };
    },
    { meta: { op: "release", saga }, timeout: remaining(deadline) },
  );
}
