import { paint, runCommand } from "log-replay/cli";
import type { RunningShop } from "../../host/running-shop.ts";
import { shoplog } from "../program.ts";
import { Customer } from "./customer.ts";
import { Logs } from "./logs.ts";
import type { Narrator } from "./narrator.ts";

/** Who and what the story is about. */
interface Cast {
  readonly shop: RunningShop;
  readonly narrator: Narrator;
  readonly customer: Customer;
  readonly logs: Logs;
  readonly item: string;
  readonly user: string;
}

export async function tellStory(shop: RunningShop, narrator: Narrator): Promise<void> {
  const customer = new Customer(shop.url, narrator);
  const logs = await Logs.open(narrator);
  await narrator.chapter("A shop opens");
  const item = await customer.created("/stock/item/create/5", "item_id");
  const user = await customer.created("/payment/create_user", "user_id");
  await narrator.tell("There is one item, at a price of 5, and one user:");
  await customer.post(`/stock/add/${item}/10`);
  await customer.post(`/payment/add_funds/${user}/12`);
  const cast = { shop, narrator, customer, logs, item, user };
  await stateOfThings(cast);
  await success(cast);
  await refusal(cast);
  await killedHost(cast);
  await killedRedis(cast);
  await reckoning(cast);
}

async function success(cast: Cast): Promise<void> {
  const { narrator, customer, logs } = cast;
  await narrator.chapter("A checkout that succeeds");
  const order = await newOrder(cast, 2);
  await customer.post(`/orders/checkout/${order}`);
  await stateOfThings(cast, order);
  await narrator.tell(
    "What it has written before it was answered, one line for each transaction, in the logs of three services:",
  );
  await logs.story(await logs.sagaOf(order));
}

async function refusal(cast: Cast): Promise<void> {
  const { narrator, customer, logs } = cast;
  await narrator.chapter("A checkout that fails, and leaves nothing behind");
  await narrator.tell(
    "The next order costs more than the user has left. Stock is reserved before the credit is refused, and given back:",
  );
  const order = await newOrder(cast, 1);
  await customer.post(`/orders/checkout/${order}`);
  await stateOfThings(cast, order);
  await logs.story(await logs.sagaOf(order));
}

async function killedHost(cast: Cast): Promise<void> {
  const { shop, narrator, customer, logs, user } = cast;
  await narrator.chapter("A host that is killed in the middle of a checkout");
  await customer.post(`/payment/add_funds/${user}/20`);
  const order = await newOrder(cast, 3);
  await narrator.tell(
    "The Redis of payment is stopped for a moment, so that the checkout gets no further than the reservation:",
  );
  const payment = shop.pidOf("redis-payment");
  process.kill(payment, "SIGSTOP");
  let killed = 0;
  try {
    await customer.post(`/orders/checkout/${order}`, async () => {
      await logs.awaited(() => true, { op: "reserve", saga: await logs.sagaOf(order) });
      const host = shop.pidOf("host");
      process.kill(host, "SIGKILL");
      killed = Date.now();
      await narrator.blow(`kill -9 ${host}: the process that runs all functions is gone in the middle of it`);
    });
  } finally {
    process.kill(payment, "SIGCONT");
  }
  await narrator.tell("The log says how far it got. Stock is held, and nothing is charged:");
  const saga = await logs.sagaOf(order);
  // However slow this is to tell: what the next host does comes below.
  await logs.story(saga, { until: { time: killed } });
  await narrator.tell(
    "Nobody does anything now. The host is started again; past the deadline of the checkout it takes back what was done:",
  );
  await logs.awaited(({ set }) => (set[`saga:${saga}`] as { state?: string } | undefined)?.state === "failed", {
    saga,
  });
  await stateOfThings(cast, order);
  await logs.story(saga);
  await narrator.tell("Nothing was lost and nothing is held. The order is free, so the customer tries again:");
  await customer.post(`/orders/checkout/${order}`);
  await stateOfThings(cast, order);
}

async function killedRedis(cast: Cast): Promise<void> {
  const { shop, narrator } = cast;
  await narrator.chapter("A Redis that is killed, with all that it holds");
  await narrator.tell("Before:");
  await stateOfThings(cast);
  const pid = shop.pidOf("redis-stock");
  process.kill(pid, "SIGKILL");
  await narrator.blow(`kill -9 ${pid}: the Redis of stock is gone. It keeps nothing on disk, and starts again empty`);
  await narrator.tell("After: whoever comes first begins a new epoch and replays the log:");
  await stateOfThings(cast);
}

async function reckoning({ narrator }: Cast): Promise<void> {
  await narrator.chapter("Does it add up?");
  await narrator.tell(
    `Every checksum, every commit, every transition in all three logs (${paint("bold", "npx shoplog verify")}):`,
  );
  await runCommand(shoplog, ["verify"]);
  await narrator.tell(
    `And where every unit of credit and stock went, from the logs alone (${paint("bold", "npx shoplog audit")}):`,
  );
  await runCommand(shoplog, ["audit"]);
  await narrator.tell("\nThat was all. The shop of this demo is stopped, and its folder removed.");
}

async function newOrder({ customer, narrator, item, user }: Cast, quantity: number): Promise<string> {
  const order = await customer.created(`/orders/create/${user}`, "order_id");
  await customer.post(`/orders/addItem/${order}/${item}/${quantity}`);
  await narrator.tell(`An order of ${quantity}: ${5 * quantity} to pay.`);
  return order;
}

async function stateOfThings({ customer, narrator, item, user }: Cast, order?: string): Promise<void> {
  const { stock } = await customer.found<{ stock: number }>(`/stock/find/${item}`);
  const { credit } = await customer.found<{ credit: number }>(`/payment/find_user/${user}`);
  const paid =
    order === undefined
      ? ""
      : (await customer.found<{ paid: boolean }>(`/orders/find/${order}`)).paid
        ? paint("green", "  order paid")
        : paint("yellow", "  order not paid");
  await narrator.show(`${paint("bold", `stock ${stock}  credit ${credit}`)}${paid}`);
}
