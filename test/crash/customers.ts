/**
 * A history of operations that follows from a seed: who asks for what, in which order. When an answer comes does not
 * follow from it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { History, type Operation } from "../support/history.ts";
import type { Client } from "../support/http.ts";
import type { Market } from "../support/market.ts";
import type { Random } from "./support/random.ts";

const CUSTOMERS = 6;
/** Milliseconds after which a customer without an answer asks again, and how often they ask. */
const PAUSE = 60;
const VISITS = 5;

export class Customers {
  readonly history = new History();
  readonly #lists: readonly (readonly { readonly operation: Operation; readonly key: string | null }[])[];
  readonly #client: Client;
  readonly #length: number;
  #begun = 0;

  constructor(client: Client, market: Market, random: Random) {
    this.#client = client;
    const operations = random.shuffled(operationsOn(market, random));
    const items = operations.map((operation, i) => ({
      operation,
      key: random.next() < 0.5 ? `${market.item}-${i}` : null,
    }));
    this.#length = items.length;
    this.#lists = Array.from({ length: CUSTOMERS }, (_, customer) =>
      items.filter((_, i) => i % CUSTOMERS === customer),
    );
  }

  /** Resolves when each has asked for everything. */
  async shop(): Promise<void> {
    await Promise.all(
      this.#lists.map(async (list) => {
        for (const { operation, key } of list) await this.#ask(operation, key);
      }),
    );
  }

  /** Resolves once this share of the operations has been asked for. */
  async reached(share: number): Promise<void> {
    while (this.#begun < share * this.#length) await sleep(1);
  }

  /** Asks for each once more, so that operations that nobody repeated are seen to work. */
  async askOnceMore(market: Market): Promise<void> {
    await Promise.all(market.orders.map((order) => this.#ask({ name: "checkout", order }, null)));
  }

  /**
   * With a key, a customer asks until the answer is final. Without one, only a checkout is asked for again, because it
   * has an identity of its own.
   */
  async #ask(operation: Operation, key: string | null): Promise<void> {
    this.#begun++;
    for (let visits = 0; visits < VISITS; visits++) {
      const { answer } = await this.history.attempt(this.#client, operation, key);
      if (answer !== null && answer.status < 500 && answer.status !== 202) return;
      if (key === null && operation.name !== "checkout") return;
      await sleep(PAUSE);
    }
  }
}

function operationsOn({ item, counter, payer, orders, users }: Market, random: Random): Operation[] {
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  return [
    ...orders.map((order): Operation => ({ name: "checkout", order })),
    ...times(4, (): Operation => ({ name: "checkout", order: random.one(orders) })),
    ...times(2, (): Operation => ({ name: "pay", user: random.one(users), amount: 5 })),
    ...times(2, (): Operation => ({ name: "subtract", item, amount: 1 })),
    ...times(10, (): Operation => ({ name: "add", item: counter, amount: 1 })),
    ...times(8, (): Operation => ({ name: "pay", user: payer, amount: 1 })),
    ...times(4, (): Operation => ({ name: "find_item", item: counter })),
    ...times(4, (): Operation => ({ name: "find_user", user: payer })),
  ];
}
