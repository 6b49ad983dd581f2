import { setTimeout as sleep } from "node:timers/promises";
import type { Row, Scenario, Timeline } from "../rows.ts";
import { range, Shop } from "../shop.ts";
import { DISTINCT } from "./checkouts.ts";

/** Seconds that payment is stopped, and those before and after it in which checkouts come as well. */
const STOPPED = 30;
const BEFORE = 2;
const AFTER = 8;
/** Checkouts a second. */
const RATE = 50;
/** Seconds between two looks at how many are settled. */
const LOOK = 1;

export const paymentStopped: Scenario = {
  name: "payment-stopped",
  about: `payment's Redis stands still for ${STOPPED} s while checkouts come at ${RATE} a second: who refuses, and when the rest is paid`,
  needsOwn: true,
  once: true,
  async run(bench) {
    const { own, url, name } = bench.target;
    if (own === undefined) throw new Error(`${name} was not started by the benchmark`);
    const shop = new Shop(bench);
    const seconds = Math.max(2, Math.round(STOPPED * bench.scale));
    const orders = RATE * (BEFORE + seconds + AFTER);
    await shop.fill({ ...DISTINCT, orders });
    const paths = range(orders).map((id) => `/orders/checkout/${id}`);
    const settled = await Settled.watch(url);
    const load = bench.load.run({ url, method: "POST", connections: 1_000, paths, rate: RATE });
    const payment = own.pidOf("redis-payment");
    await sleep(BEFORE * 1_000);
    process.kill(payment, "SIGSTOP");
    await sleep(seconds * 1_000);
    process.kill(payment, "SIGCONT");
    const resumed = performance.now();
    const { statuses } = await load;
    const find = paths.map((path) => path.replace("checkout", "find"));
    const isOpen = async (): Promise<boolean> =>
      (await shop.read<{ paid: boolean }>(find)).some(
        ({ paid }, id) => !paid && (statuses[id] === 202 || statuses[id] === 0),
      );
    while (await isOpen()) await sleep(250);
    const drained = (performance.now() - resumed) / 1_000;
    const timeline = await settled.end();
    const paid = (await shop.read<{ paid: boolean }>(find)).filter((order) => order.paid).length;
    const count = (status: number): number => statuses.filter((one) => one === status).length;
    return [
      {
        what: `paid of ${orders} checkouts, payment stopped for ${seconds} s`,
        value: (100 * paid) / orders,
        unit: "%",
        timeline,
        note: `answered 200: ${count(200)}, 202: ${count(202)}, 503: ${count(503)}; the last is paid ${drained.toFixed(1)} s after payment goes on`,
      } satisfies Row,
    ];
  },
};

/** How many checkouts were settled, as the shop's own metrics tell it every second. */
class Settled {
  readonly #url: string;
  readonly #first: Outcomes;
  readonly #paid: number[] = [];
  readonly #aborted: number[] = [];
  readonly #ended = new AbortController();
  readonly #looking: Promise<void>;

  private constructor(url: string, first: Outcomes) {
    this.#url = url;
    this.#first = first;
    this.#looking = this.#look();
  }

  static async watch(url: string): Promise<Settled> {
    return new Settled(url, await outcomesOf(url));
  }

  async end(): Promise<Timeline> {
    this.#ended.abort();
    await this.#looking;
    return { every: LOOK, series: { paid: this.#paid, "rolled back": this.#aborted } };
  }

  async #look(): Promise<void> {
    for (const { signal } = this.#ended; !signal.aborted;) {
      const { paid, aborted } = await outcomesOf(this.#url);
      this.#paid.push(paid - this.#first.paid);
      this.#aborted.push(aborted - this.#first.aborted);
      await sleep(LOOK * 1_000, undefined, { signal }).catch(() => undefined);
    }
  }
}

type Outcomes = Readonly<Record<"paid" | "aborted", number>>;

async function outcomesOf(url: string): Promise<Outcomes> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (outcome: string): number =>
    Number(new RegExp(`^shop_sagas_total\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { paid: sum("paid"), aborted: sum("aborted") };
}
