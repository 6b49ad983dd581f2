import type { Load } from "./load/load.ts";
import type { Target } from "./target.ts";

/** What each item and each user has: more than any load takes. */
export const STOCK = 1_000_000_000;
export const CREDIT = 1_000_000_000;
export const PRICE = 1;

/** How many there are of each. */
export interface Rows {
  readonly items: number;
  readonly users: number;
  readonly orders: number;
}

/** What the benchmark asks of a shop besides the load itself, through its routes alone. */
export class Shop {
  readonly #target: Target;
  readonly #load: Load;

  constructor({ target, load }: { readonly target: Target; readonly load: Load }) {
    this.#target = target;
    this.#load = load;
  }

  /** @throws Error where the answer is not 200 */
  async post(path: string): Promise<string> {
    const response = await fetch(this.#target.url + path, { method: "POST" });
    const text = await response.text();
    if (response.status !== 200)
      throw new Error(`${this.#target.name}: POST ${path} answered ${response.status} ${text}`);
    return text;
  }

  /** Makes what can be checked out: orders "0" and so on, of users and of items that have enough. @throws Error as `post` */
  async fill({ items, users, orders }: Rows): Promise<void> {
    await this.post(`/stock/batch_init/${items}/${STOCK}/${PRICE}`);
    await this.post(`/payment/batch_init/${users}/${CREDIT}`);
    await this.post(`/orders/batch_init/${orders}/${items}/${users}/${PRICE}`);
  }

  /** The JSON of all of them. @throws Error where an answer is not 200 */
  async read<T>(paths: readonly string[]): Promise<T[]> {
    const { statuses, bodies } = await this.#load.run({
      url: this.#target.url,
      method: "GET",
      paths,
      connections: 20,
      bodies: true,
    });
    const failed = statuses.findIndex((status) => status !== 200);
    if (failed !== -1)
      throw new Error(`${this.#target.name}: GET ${paths[failed]} answered ${statuses[failed]} ${bodies[failed]}`);
    return bodies.map((body) => JSON.parse(body) as T);
  }
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
