import { orderKey, type Order } from "../../order/orders.ts";
import { outbox } from "../../order/outbox.ts";
import { SagaJournal, type DrivenSaga } from "../../order/saga-journal.ts";
import { start } from "../../order/sagas.ts";
import { sagaMode } from "../../settings/configuration.ts";
import type { Basket } from "./goods.ts";
import { lost } from "./queues.ts";
import type { Shop } from "./shop.ts";

let sagas = 0;

/**
 * Writes a saga's intent, as a checkout does, and does no more for it.
 * @param timeout milliseconds until others may take it over
 * @param mode by which its steps go
 */
export async function beginSaga(
  shop: Shop,
  goods: Basket,
  timeout = 0,
  now = Date.now() - 1,
  mode = sagaMode(),
): Promise<{ driven: DrivenSaga; journal: SagaJournal }> {
  const state = await shop.state("order");
  const id = `begun-${++sagas}`;
  const saga = await state.occ.transact([orderKey(goods.order)], (view) => {
    const started = start(id, goods.order, view.get<Order>(orderKey(goods.order))!, { now, timeout, mode });
    return { result: started.saga, set: started.set };
  });
  return { driven: { id, saga }, journal: new SagaJournal(state) };
}

/** What the saga's record says is sent, and the messages that follow from it, but for those of these types: they are lost. */
export async function goOnUntil(shop: Shop, { id, saga }: DrivenSaga, ...types: readonly string[]): Promise<void> {
  for (const type of types) shop.queues.always(type, lost);
  for (const { to, message } of outbox(id, saga)) await shop.queues.send(to, message);
  await shop.queues.quiet();
  shop.queues.heal();
}
