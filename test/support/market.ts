/** A sale: many users, each with credit for one item and an order for it, fewer items in stock, and two counters beside it. */
import { setTimeout as sleep } from "node:timers/promises";
import { History, type Attempt, type Operation } from "./history.ts";
import type { Client } from "./http.ts";
import type { OrderState, ShopState } from "./checker.ts";

const PRICE = 5;
const FUNDS = 1_000_000;

export interface Market {
  /** What everybody wants. */
  readonly item: string;
  /** Only added to. */
  readonly counter: string;
  /** Only pays, outside of any order. */
  readonly payer: string;
  readonly orders: readonly string[];
  readonly users: readonly string[];
  readonly before: ShopState;
}

/** @param client asks again and again: the opening of the sale is not what is tested */
export async function openMarket(
  client: Client,
  options: { readonly orders: number; readonly stock: number },
): Promise<Market> {
  let requests = 0;
  const run = `market-${Date.now()}-${Math.random()}`;
  const post = async <T>(path: string): Promise<T> =>
    JSON.parse(
      await client.insist({ method: "POST", path, headers: { "idempotency-key": `${run}-${requests++}` } }),
    ) as T;
  const { item_id: item } = await post<{ item_id: string }>(`/stock/item/create/${PRICE}`);
  const { item_id: counter } = await post<{ item_id: string }>("/stock/item/create/1");
  const { user_id: payer } = await post<{ user_id: string }>("/payment/create_user");
  await post(`/stock/add/${item}/${options.stock}`);
  await post(`/payment/add_funds/${payer}/${FUNDS}`);
  await post(`/payment/batch_init/${options.orders}/${PRICE}`);
  const users = Array.from({ length: options.orders }, (_, i) => String(i));
  const orders = await eachOf(users, 64, async (user) => {
    const { order_id: order } = await post<{ order_id: string }>(`/orders/create/${user}`);
    await post(`/orders/addItem/${order}/${item}/1`);
    return order;
  });
  const market = { item, counter, payer, orders, users };
  return { ...market, before: await stateOf(client, market) };
}

/** What the public routes show of the market. */
export async function stateOf(
  client: Client,
  market: Pick<Market, "item" | "counter" | "payer" | "orders" | "users">,
): Promise<ShopState> {
  const get = async <T>(path: string): Promise<T> => JSON.parse(await client.insist({ method: "GET", path })) as T;
  const items = await eachOf(
    [market.item, market.counter],
    2,
    async (id) => [id, await get<{ stock: number; price: number }>(`/stock/find/${id}`)] as const,
  );
  const users = await eachOf(
    [market.payer, ...market.users],
    64,
    async (id) => [id, (await get<{ credit: number }>(`/payment/find_user/${id}`)).credit] as const,
  );
  const orders = await eachOf(market.orders, 64, async (id) => {
    const found = await get<{ user_id: string; items: OrderState["items"]; total_cost: number; paid: boolean }>(
      `/orders/find/${id}`,
    );
    return [id, { user: found.user_id, items: found.items, total: found.total_cost, paid: found.paid }] as const;
  });
  return { items: new Map(items), users: new Map(users), orders: new Map(orders) };
}

/** Customers at work. */
export class Load {
  readonly history = new History();
  /** Resolves when each order was checked out as often as its customer wants to. */
  readonly sold: Promise<void>;
  readonly #client: Client;
  readonly #market: Market;
  readonly #counters: Promise<unknown>;
  #begun = 0;
  #stopped = false;
  #keys = 0;

  constructor(client: Client, market: Market, { customers = 48 } = {}) {
    this.#client = client;
    this.#market = market;
    const queue = market.orders.entries();
    this.sold = Promise.all(
      Array.from({ length: customers }, async () => {
        for (const [i, order] of queue) {
          this.#begun++;
          await this.#buy(order, i);
        }
      }),
    ).then(() => undefined);
    this.#counters = Promise.all([
      ...Array.from({ length: 6 }, (_, i) =>
        this.#repeatedly({ name: "add", item: market.counter, amount: 1 }, i % 2 === 0),
      ),
      ...Array.from({ length: 4 }, (_, i) =>
        this.#repeatedly({ name: "pay", user: market.payer, amount: 1 }, i % 2 === 0),
      ),
      this.#repeatedly({ name: "find_item", item: market.counter }, false),
      this.#repeatedly({ name: "find_user", user: market.payer }, false),
    ]);
  }

  /** Resolves when this share of the orders is or was at the checkout. */
  async reached(share: number): Promise<void> {
    while (this.#begun < share * this.#market.orders.length) await sleep(2);
  }

  /** Resolves when that many requests more were answered with 200. */
  async answered(more: number): Promise<void> {
    const { attempts } = this.history;
    for (let [next, left] = [attempts.length, more]; left > 0;) {
      await sleep(2);
      for (; next < attempts.length; next++) if (attempts[next]?.answer?.status === 200) left--;
    }
  }

  /** Resolves when one more checkout was rolled back or not answered in time, or when all are over. */
  async givenUp(): Promise<void> {
    const { attempts } = this.history;
    const sold = { over: false };
    void this.sold.then(() => (sold.over = true));
    for (let next = attempts.length; !sold.over;) {
      await sleep(2);
      for (; next < attempts.length; next++) {
        const { operation, answer } = attempts[next]!;
        if (operation.name === "checkout" && ((answer?.status ?? 0) >= 500 || answer?.status === 202)) return;
      }
    }
  }

  /** More who add to the counter, through a client of their own. The returned function ends that. */
  alsoAdd(client: Client, howMany: number): () => Promise<void> {
    let stopped = false;
    const adders = Array.from({ length: howMany }, async () => {
      while (!stopped) await this.history.attempt(client, { name: "add", item: this.#market.counter, amount: 1 });
    });
    return async () => {
      stopped = true;
      await Promise.all(adders);
    };
  }

  /** Sends nothing more; resolves when every request has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([this.sold, this.#counters]);
  }

  /** One customer: every tenth clicks twice, every fifth never comes again, every other uses an Idempotency-Key. */
  async #buy(order: string, i: number): Promise<void> {
    const operation: Operation = { name: "checkout", order };
    const key = this.#key(i % 2 === 0);
    for (let visits = 0; visits < 6 && !this.#stopped; visits++) {
      const twice = i % 10 === 1 && visits === 0;
      const [attempt] = await Promise.all([
        this.history.attempt(this.#client, operation, key),
        ...(twice ? [this.history.attempt(this.#client, operation)] : []),
      ]);
      if (!isOpen(attempt) || i % 5 === 4) return;
      await sleep(100);
    }
  }

  async #repeatedly(operation: Operation, keyed: boolean): Promise<void> {
    for (let key = this.#key(keyed); !this.#stopped;) {
      const attempt = await this.history.attempt(this.#client, operation, key);
      if (isOpen(attempt)) await sleep(20);
      else key = this.#key(keyed);
    }
  }

  #key(keyed: boolean): string | null {
    return keyed ? `${this.#market.item}-${this.#keys++}` : null;
  }
}

function isOpen({ answer }: Attempt): boolean {
  return answer === null || answer.status >= 500 || answer.status === 202;
}

/** At most `at once` of them at the same time; the results in order. */
export async function eachOf<T, R>(values: readonly T[], atOnce: number, work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = values.entries();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, values.length) }, async () => {
      for (const [i, value] of queue) results[i] = await work(value);
    }),
  );
  return results;
}
