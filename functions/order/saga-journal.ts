import type { LoggedRedis } from "log-replay";
import { failPoint } from "../fail-points.ts";
import { sagas, type SagaMessage } from "../observe/channels.ts";
import { claimKey, orderKey, type Claim, type Order } from "./orders.ts";
import { abandon, close, isSettled, pay, sagaKey, type SagaChanges, type Failure, type Saga } from "./sagas.ts";

/** A saga with its id, as one driver knows it. */
export interface DrivenSaga {
  readonly id: string;
  readonly saga: Saga;
}

/**
 * The transitions of saga records. Each is one transaction, which is durable before the call returns. Each throws
 * LostRaceError if another driver was faster, and OccError or LogError if the state cannot be changed now.
 */
export class SagaJournal {
  readonly #state: LoggedRedis;

  constructor(state: LoggedRedis) {
    this.#state = state;
  }

  async read(id: string, timeout: number): Promise<Saga | null> {
    const [saga = null] = await this.#state.occ.read<Saga>([sagaKey(id)], { timeout });
    return saga;
  }

  /** The order becomes paid. @returns null where it is no longer this saga's */
  paid({ id, saga }: DrivenSaga, timeout: number): Promise<DrivenSaga | null> {
    return this.#move("paid", id, saga, timeout, (current, order, claim) => pay(id, saga, current, order, claim));
  }

  /** The saga is given up. What has to be undone is written down before any of it is undone. */
  async abandoned(
    { id, saga }: DrivenSaga,
    undo: readonly string[],
    failure: Failure,
    timeout: number,
  ): Promise<DrivenSaga> {
    return must(
      await this.#move("abandoned", id, saga, timeout, (current, _order, claim) =>
        abandon(id, saga, current, claim, undo, failure),
      ),
    );
  }

  /** All is undone. */
  async closed({ id, saga }: DrivenSaga, timeout: number): Promise<DrivenSaga> {
    return must(
      await this.#move("closed", id, saga, timeout, (current, _order, claim) => close(id, saga, current, claim)),
    );
  }

  async #move(
    to: "paid" | "abandoned" | "closed",
    id: string,
    { order }: Saga,
    timeout: number,
    transition: (
      current: Saga | null,
      order: Order | null,
      claim: Claim | null,
    ) => { saga: Saga; set: SagaChanges } | null,
  ): Promise<DrivenSaga | null> {
    const [sagaRow, orderRow, claim] = [sagaKey(id), orderKey(order), claimKey(order)];
    await failPoint(`saga.${to}.before`);
    const driven = await this.#state.occ.transact<DrivenSaga | null>(
      [sagaRow, orderRow, claim],
      (view) => {
        const moved = transition(view.get<Saga>(sagaRow), view.get<Order>(orderRow), view.get<Claim>(claim));
        return moved === null ? { result: null } : { result: { id, saga: moved.saga }, set: moved.set };
      },
      { meta: { op: `saga_${to}`, saga: id }, timeout },
    );
    await failPoint(`saga.${to}.after`);
    if (sagas.hasSubscribers && driven !== null) tellSettled(driven);
    return driven;
  }
}

function tellSettled({ id, saga }: DrivenSaga): void {
  if (!isSettled(saga)) return;
  const outcome = saga.state === "paid" ? "paid" : saga.failure?.kind === "refused" ? "refused" : "aborted";
  sagas.publish({ saga: id, outcome, ms: Math.max(0, Date.now() - saga.startedAt) } satisfies SagaMessage);
}

function must(driven: DrivenSaga | null): DrivenSaga {
  if (driven === null) throw new Error("a transition that is always possible was not made");
  return driven;
}
