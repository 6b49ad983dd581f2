import type { Seen, Shop } from "./shop.ts";

/** Asserts that an answer is a success, for what a test only prepares. */
export function ok(seen: Seen): Seen {
  if (seen.status !== 200) throw new Error(`not prepared: ${seen.status} ${seen.body}`);
  return seen;
}

export async function newItem(
  shop: Shop,
  { stock, price }: { readonly stock: number; readonly price: number },
): Promise<string> {
  await shop.ready();
  const { item_id: id } = ok(await shop.post(`/stock/item/create/${price}`)).json as { item_id: string };
  if (stock > 0) ok(await shop.post(`/stock/add/${id}/${stock}`));
  return id;
}

export async function newUser(shop: Shop, credit: number): Promise<string> {
  await shop.ready();
  const { user_id: id } = ok(await shop.post("/payment/create_user")).json as { user_id: string };
  if (credit > 0) ok(await shop.post(`/payment/add_funds/${id}/${credit}`));
  return id;
}

export async function newOrder(
  shop: Shop,
  user: string,
  lines: readonly (readonly [item: string, quantity: number])[],
): Promise<string> {
  await shop.ready();
  const { order_id: id } = ok(await shop.post(`/orders/create/${user}`)).json as { order_id: string };
  for (const [item, quantity] of lines) ok(await shop.post(`/orders/addItem/${id}/${item}/${quantity}`));
  return id;
}

export async function stockOf(shop: Shop, item: string): Promise<number> {
  return (ok(await shop.get(`/stock/find/${item}`)).json as { stock: number }).stock;
}

export async function creditOf(shop: Shop, user: string): Promise<number> {
  return (ok(await shop.get(`/payment/find_user/${user}`)).json as { credit: number }).credit;
}

export interface FoundOrder {
  readonly order_id: string;
  readonly paid: boolean;
  readonly items: [string, number][];
  readonly user_id: string;
  readonly total_cost: number;
}

export async function findOrder(shop: Shop, order: string): Promise<FoundOrder> {
  return ok(await shop.get(`/orders/find/${order}`)).json as FoundOrder;
}

/** An order of 3 pieces at 5 each out of 10 in stock, by a user with a credit of 100. */
export interface Basket {
  readonly item: string;
  readonly user: string;
  readonly order: string;
}

export async function basket(shop: Shop, { stock = 10, credit = 100 } = {}): Promise<Basket> {
  const [item, user] = await Promise.all([newItem(shop, { stock, price: 5 }), newUser(shop, credit)]);
  return { item, user, order: await newOrder(shop, user, [[item, 3]]) };
}

/** What became of a basket: both effects and paid, or neither and not. */
export async function stateOf(
  shop: Shop,
  { item, user, order }: Basket,
): Promise<{ paid: boolean; stock: number; credit: number }> {
  const [{ paid }, stock, credit] = await Promise.all([
    findOrder(shop, order),
    stockOf(shop, item),
    creditOf(shop, user),
  ]);
  return { paid, stock, credit };
}

export const PAID = { paid: true, stock: 7, credit: 85 };
export const UNTOUCHED = { paid: false, stock: 10, credit: 100 };
