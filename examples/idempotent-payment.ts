/** A payment that may be sent again, on redis-occ: after a timeout, by a client that heard nothing, by two servers at once. */
import { retry, type Occ } from "redis-occ";

export interface Receipt {
  readonly paid: number;
  readonly left: number;
}

/**
 * @param request the caller's own name for this payment: the same one, the same payment
 * @throws Error where the account does not suffice: nothing was paid, and the same request may be sent once it does
 */
export function pay(occ: Occ, request: string, account: string, amount: number): Promise<Receipt> {
  const key = `account:${account}`;
  const once = (): Promise<Receipt> =>
    occ.once(request, [key], (view) => {
      const left = (view.get<number>(key) ?? 0) - amount;
      if (left < 0) throw new Error("the account does not suffice");
      return { result: { paid: amount, left }, set: { [key]: left } };
    });
  return retry(once, { timeout: 5_000 });
}
