import { Refusal } from "../errors.js";
import { sum } from "../numbers.js";
export const itemKey = (id) => `item:${id}`;
/** @throws Refusal unknown_item */
export function known(item, id) {
    if (item === null)
        throw new Refusal("unknown_item", `there is no item ${id}`);
    return item;
}
export function newItem(price, stock, generation) {
    return { stock, price, held: 0, generation };
}
/** @throws Refusal amount_out_of_range */
export function add(item, amount) {
    sum("the stock", item.stock, item.held, amount);
    return { ...item, stock: item.stock + amount };
}
/** @throws Refusal insufficient_stock */
export function subtract(item, amount, id) {
    if (item.stock < amount)
        throw new Refusal("insufficient_stock", `item ${id} has ${item.stock} in stock, ${amount} were asked for`);
    return { ...item, stock: item.stock - amount };
}
/** Takes `amount` out of the stock, to be given back or kept. @throws Refusal insufficient_stock */
export function hold(item, amount, id) {
    return { ...subtract(item, amount, id), held: item.held + amount };
}
/** Puts back what was held. */
export function giveBack(item, amount) {
    return { ...item, stock: item.stock + amount, held: item.held - amount };
}
/** What was held will not come back. */
export function letGo(item, amount) {
    return { ...item, held: item.held - amount };
}
//# sourceMappingURL=items.js.map