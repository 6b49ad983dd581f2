import { Refusal } from "../errors.ts";
import { sum } from "../numbers.ts";

/** An item as it is stored. */
export interface Item {
  readonly stock: number;
  readonly price: number;
  /**
   * What running and recent checkouts hold of it and may give back. Headroom for it is kept below the largest stock.
   */
  readonly held: number;
  /**
   * A new one each time that an item is made under the same id, so that a checkout gives back only to the item that it
   * took from.
   */
  readonly generation: string;
}

export const itemKey = (id: string): string => `item:${id}`;

/** @throws Refusal unknown_item */
export function known(item: Item | null, id: string): Item {
  if (item === null) throw new Refusal("unknown_item", `there is no item ${id}`);
  return item;
}

export function newItem(price: number, stock: number, generation: string): Item {
  return { stock, price, held: 0, generation };
}

/** @throws Refusal amount_out_of_range */
export function add(item: Item, amount: number): Item {
  sum("the stock", item.stock, item.held, amount);
  return { ...item, stock: item.stock + amount };
}

/** @throws Refusal insufficient_stock */
export function subtract(item: Item, amount: number, id: string): Item {
  if (item.stock < amount)
    throw new Refusal("insufficient_stock", `item ${id} has ${item.stock} in stock, ${amount} were asked for`);
  return { ...item, stock: item.stock - amount };
}

/** Takes `amount` out of the stock, to be given back or kept. @throws Refusal insufficient_stock */
export function hold(item: Item, amount: number, id: string): Item {
  return { ...subtract(item, amount, id), held: item.held + amount };
}

/** Puts back what was held. */
export function giveBack(item: Item, amount: number): Item {
  return { ...item, stock: item.stock + amount, held: item.held - amount };
}

/** What was held will not come back. */
export function letGo(item: Item, amount: number): Item {
  return { ...item, held: item.held - amount };
}
