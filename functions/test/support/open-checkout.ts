import { setRight } from "./clock.ts";
import { after, insteadOf, tooLate } from "./faults.ts";
import type { RequestOptions, Seen, Shop } from "./shop.ts";

/**
 * A checkout that was charged, has to be undone and cannot be: its request has no time left once `undoing` has failed,
 * and its saga stays compensating until the gateway is healed.
 */
export async function leaveOpen(
  shop: Shop,
  order: string,
  { undoing = "/payment/refund", ...options }: RequestOptions & { readonly undoing?: string } = {},
): Promise<Seen> {
  shop.gateway.next("/payment/charge", after(500));
  shop.gateway.always(undoing, tooLate(insteadOf(503)));
  try {
    return await shop.post(`/orders/checkout/${order}`, options);
  } finally {
    setRight();
  }
}
