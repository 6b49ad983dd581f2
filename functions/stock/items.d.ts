/** An item as it is stored. */
export interface Item {
    readonly stock: number;
    readonly price: number;
    /** What running and recent checkouts hold of it and may give back: headroom for that is kept below the largest stock. */
    readonly held: number;
    /** Another one each time that an item is made under the same id: what a checkout gives back goes only to its own. */
    readonly generation: string;
}
export declare const itemKey: (id: string) => string;
/** @throws Refusal unknown_item */
export declare function known(item: Item | null, id: string): Item;
export declare function newItem(price: number, stock: number, generation: string): Item;
/** @throws Refusal amount_out_of_range */
export declare function add(item: Item, amount: number): Item;
/** @throws Refusal insufficient_stock */
export declare function subtract(item: Item, amount: number, id: string): Item;
/** Takes `amount` out of the stock, to be given back or kept. @throws Refusal insufficient_stock */
export declare function hold(item: Item, amount: number, id: string): Item;
/** Puts back what was held. */
export declare function giveBack(item: Item, amount: number): Item;
/** What was held will not come back. */
export declare function letGo(item: Item, amount: number): Item;
