/** Customers who buy all the while, whatever happens to the shop. */
import { setTimeout as sleep } from "node:timers/promises";

const ITEMS = 40;
const USERS = 60;
const PRICE = 5;

/** Milliseconds between two orders of one customer, about. */
const PAUSE = 60;

export interface MarketOptions {
  readonly url: string;
  readonly customers: number;
  readonly signal: AbortSignal;
}

/** Resolves when the signal has ended it. */
export async function keepBuying({ url, customers, signal }: MarketOptions): Promise<void> {
  await patiently(url, `/stock/batch_init/${ITEMS}/1000000/${PRICE}`, signal);
  // Some run out of credit after a while: then their checkouts are refused, and taken back.
  await patiently(url, `/payment/batch_init/${USERS}/120`, signal);
  await Promise.all(Array.from({ length: customers }, () => customer(url, signal)));
}

async function customer(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const user = random(USERS);
    const order = /"order_id":"([^"]+)"/.exec(await patiently(url, `/orders/create/${user}`, signal))?.[1];
    for (let lines = 1 + random(3); lines > 0; lines--)
      await patiently(url, `/orders/addItem/${order}/${random(ITEMS)}/${1 + random(3)}`, signal);
    await post(url, `/orders/checkout/${order}`, signal);
    if (random(5) === 0) await post(url, `/payment/add_funds/${user}/100`, signal);
    await sleep(PAUSE * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
  }
}

/** Until it is answered: a shop that restores itself says 503, one that was killed says nothing. */
async function patiently(url: string, path: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    const { status, text } = await post(url, path, signal);
    if (status > 0 && status < 500) return text;
    await sleep(100, undefined, { signal }).catch(() => undefined);
  }
  return "";
}

async function post(url: string, path: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url + path, { method: "POST", signal });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: "" };
  }
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}
