import { Refusal } from "../errors.ts";
import { sum } from "../numbers.ts";

/** A user as it is stored. */
export interface User {
  readonly credit: number;
  /**
   * What running and recent checkouts have charged and may refund. Headroom for it is kept below the largest credit.
   */
  readonly held: number;
  /**
   * A new one each time that a user is made under the same id, so that a refund goes only to the user who was charged.
   */
  readonly generation: string;
}

export const userKey = (id: string): string => `user:${id}`;

/** @throws Refusal unknown_user */
export function known(user: User | null, id: string): User {
  if (user === null) throw new Refusal("unknown_user", `there is no user ${id}`);
  return user;
}

export function newUser(credit: number, generation: string): User {
  return { credit, held: 0, generation };
}

/** @throws Refusal amount_out_of_range */
export function addFunds(user: User, amount: number): User {
  sum("the credit", user.credit, user.held, amount);
  return { ...user, credit: user.credit + amount };
}

/** @throws Refusal insufficient_credit */
export function pay(user: User, amount: number, id: string): User {
  if (user.credit < amount)
    throw new Refusal("insufficient_credit", `user ${id} has a credit of ${user.credit}, ${amount} were asked for`);
  return { ...user, credit: user.credit - amount };
}

/** Takes `amount` off the credit, to be refunded or kept. @throws Refusal insufficient_credit */
export function hold(user: User, amount: number, id: string): User {
  return { ...pay(user, amount, id), held: user.held + amount };
}

/** Puts back what was held. */
export function giveBack(user: User, amount: number): User {
  return { ...user, credit: user.credit + amount, held: user.held - amount };
}

/** What was held will not come back. */
export function letGo(user: User, amount: number): User {
  return { ...user, held: user.held - amount };
}
