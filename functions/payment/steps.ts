/** The steps of a checkout that are payment's: for its routes, and for its queue. Each may be done again, and changes nothing then. */
import type { Refusal } from "../errors.ts";
import { assertRecent, isForgotten, type SagaStart, type StepWork } from "../handler/steps.ts";
import { retention } from "../settings/configuration.ts";
import { charge, chargeKey, refund, type Charge } from "./charges.ts";
import { userKey, type User } from "./users.ts";
import { remaining } from "../deadline.ts";

/** @returns the refusal, durable, where it is one @throws Refusal saga_expired, of which nothing is written */
export async function chargeUser(
  { state, now, deadline }: StepWork,
  { saga, startedAt, user, amount }: SagaStart & { readonly user: string; readonly amount: number },
): Promise<Refusal | undefined> {
  assertRecent({ saga, startedAt }, now, retention());
  const marker = chargeKey(saga);
  return state.occ.transact(
    [marker, userKey(user)],
    (view) => {
      const { set, refusal } = charge(saga, user, amount, view.get<Charge>(marker), (id) =>
        view.get<User>(userKey(id)),
      );
      return { result: refusal, set };
    },
    { meta: { op: "charge", saga }, timeout: remaining(deadline) },
  );
}

export function refundUser({ state, now, deadline }: StepWork, { saga, startedAt }: SagaStart): Promise<void> {
  const key = chargeKey(saga);
  return state.occ.transact(
    [key],
    (view) => {
      const marker = view.get<Charge>(key);
      if (marker === null && isForgotten({ saga, startedAt }, now, retention())) return { result: undefined };
      return { result: undefined, set: refund(saga, marker, (user) => view.get<User>(userKey(user))) };
    },
    { meta: { op: "refund", saga }, timeout: remaining(deadline) },
  );
}
