/** A cart that is left alone ends by itself. A line is a field of a hash, so a change writes that line and not the cart. */
import { createFileStore, LoggedRedis, openFileStore } from "log-replay";
import { fields, type Decide, type Occ } from "redis-occ";

const HOUR = 3_600_000;

/** Changes how many there are of an article. @returns how many there are then @throws Error where that is less than none */
export function putInto(occ: Occ, cart: string, article: string, by: number): Promise<number> {
  const key = `cart:${cart}`;
  const rule: Decide<number> = (view) => {
    const count = (view.fields<number>(key).get(article) ?? 0) + by;
    if (count < 0) throw new Error(`there are not so many of ${article}`);
    const value = fields({ [article]: count === 0 ? null : count });
    // The first line begins the cart, and gives it its time to live; others keep that.
    return view.hash(key).size === 0
      ? { result: count, setWithTtl: { [key]: { value, ttl: HOUR } } }
      : { result: count, set: { [key]: value } };
  };
  return occ.transact([key], rule, { meta: { op: "put", cart } });
}

/** What is in a cart; empty where there is none. */
export function linesOf(occ: Occ, cart: string): Promise<ReadonlyMap<string, number>> {
  return occ.transact([`cart:${cart}`], (view) => ({ result: view.fields<number>(`cart:${cart}`) }));
}

/** Carts that survive the loss of Redis, and end when they were to end. */
export async function openCarts(url: string, folder: string): Promise<LoggedRedis> {
  await createFileStore(folder);
  return new LoggedRedis({ url, store: await openFileStore({ folder }), hashes: true, expiry: true });
}
