import { Refusal, type Reason } from "../errors.ts";
import { giveBack, hold, known, letGo, userKey, type User } from "./users.ts";

/** A step's marker. It is written with the step's effect, so that the step happens at most once. */
export type Charge =
  | { readonly state: "charged"; readonly user: string; readonly amount: number; readonly generation: string }
  | (Reason & { readonly state: "refused" })
  /** Written even if there was nothing to refund yet: an execute that comes too late is then refused. */
  | { readonly state: "refunded" };

/** Rows that change, by key; null deletes. */
export type ChargeChanges = readonly (readonly [key: string, row: User | Charge | null])[];

/** Gives the stored user, null where there is none. */
export type FindUser = (id: string) => User | null;

export const chargeKey = (saga: string): string => `charge:${saga}`;

/**
 * Charges the user. A refusal is marked too, so repeating the step gives the first answer whatever the credit has
 * become.
 * @returns what changes, and the refusal if it is one
 */
export function charge(
  saga: string,
  id: string,
  amount: number,
  marker: Charge | null,
  find: FindUser,
): { set: ChargeChanges; refusal?: Refusal } {
  if (marker?.state === "charged") return { set: [] };
  if (marker?.state === "refused") return { set: [], refusal: new Refusal(marker.code, marker.message) };
  if (marker?.state === "refunded")
    return { set: [], refusal: new Refusal("step_compensated", `the charge of saga ${saga} was refunded`) };
  try {
    const user = known(find(id), id);
    return {
      set: [
        [chargeKey(saga), { state: "charged", user: id, amount, generation: user.generation }],
        [userKey(id), hold(user, amount, id)],
      ],
    };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    const { code, message } = refusal;
    return { set: [[chargeKey(saga), { state: "refused", code, message }]], refusal };
  }
}

/** Puts the credit back, if the user is still the same one, and refuses the step for ever. */
export function refund(saga: string, marker: Charge | null, find: FindUser): ChargeChanges {
  if (marker?.state === "refunded" || marker?.state === "refused") return [];
  return [...changeHeld(marker, find, giveBack), [chargeKey(saga), { state: "refunded" }]];
}

/** Drops the marker of a saga that is settled for good. What the marker still held is spent. */
export function forget(saga: string, marker: Charge | null, find: FindUser): ChargeChanges {
  if (marker === null) return [];
  return [...changeHeld(marker, find, letGo), [chargeKey(saga), null]];
}

function changeHeld(
  marker: Charge | null,
  find: FindUser,
  change: (user: User, amount: number) => User,
): ChargeChanges {
  if (marker?.state !== "charged") return [];
  const user = find(marker.user);
  return user?.generation === marker.generation ? [[userKey(marker.user), change(user, marker.amount)]] : [];
}
