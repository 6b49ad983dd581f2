import type { LoggedRedis } from "log-replay";
import type { Reason } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { remaining } from "../deadline.ts";
import { sagas, type SagaMessage } from "../observe/channels.ts";
import { claimKey, orderKey, type Claim, type Order } from "./orders.ts";
import {
  abandon,
  close,
  isSettled,
  LostRaceError,
  NOT_ITS_ORDER,
  pay,
  sagaKey,
  UNDO_ALL,
  undone,
  type Failure,
  type Found,
  type Moved,
  type Saga,
} from "./sagas.ts";

/** A saga and its order, of which an event tells. */
export interface SagaOfOrder {
  readonly saga: string;
  readonly order: string;
}

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
    return this.#move("paid", id, saga.order, timeout, (found) => pay(id, saga, found));
  }

  /** The saga is given up. What has to be undone is written down before any of it is undone. */
  async abandoned(
    { id, saga }: DrivenSaga,
    undo: readonly string[],
    failure: Failure,
    timeout: number,
  ): Promise<DrivenSaga> {
    return must(
      await this.#move("abandoned", id, saga.order, timeout, (found) => abandon(id, saga, found, undo, failure)),
    );
  }

  /** All is undone. */
  async closed({ id, saga }: DrivenSaga, timeout: number): Promise<DrivenSaga> {
    return must(await this.#move("closed", id, saga.order, timeout, (found) => close(id, saga, found)));
  }

  // The transitions by events start from the saga as it stands: what an event tells is true in whichever state it finds the saga.

  /** All steps are done: the order becomes paid; where it is no longer this saga's, they have to be undone. */
  async charged({ saga: id, order }: SagaOfOrder, timeout: number): Promise<DrivenSaga> {
    const deadline = Date.now() + timeout;
    const paid = await this.#move("paid", id, order, timeout, (found) => pay(id, present(found), found));
    if (paid !== null) return paid;
    return must(
      await this.#move("abandoned", id, order, remaining(deadline), (found) =>
        abandon(id, present(found), found, UNDO_ALL, NOT_ITS_ORDER),
      ),
    );
  }

  /** A step is refused, and nothing is left of those before it. */
  async refused({ saga: id, order }: SagaOfOrder, why: Reason, timeout: number): Promise<DrivenSaga> {
    const failure: Failure = { kind: "refused", ...why };
    return must(
      await this.#move("abandoned", id, order, timeout, (found) => abandon(id, present(found), found, [], failure)),
    );
  }

  /** A later step is refused, and the reservation was released for it. A saga that was given up meanwhile has waited for that release. */
  async released(about: SagaOfOrder, why: Reason, timeout: number): Promise<DrivenSaga> {
    const deadline = Date.now() + timeout;
    try {
      return await this.refused(about, why, timeout);
    } catch (error) {
      if (!(error instanceof LostRaceError)) throw error;
      return this.undone(about, "reserve", remaining(deadline));
    }
  }

  /** One of the steps that have to be undone is undone. With the last of them the saga has failed. */
  async undone({ saga: id, order }: SagaOfOrder, step: string, timeout: number): Promise<DrivenSaga> {
    return must(await this.#move("undone", id, order, timeout, (found) => undone(id, found, step)));
  }

  async #move(
    to: "paid" | "abandoned" | "closed" | "undone",
    id: string,
    order: string,
    timeout: number,
    transition: (found: Found) => Moved | null,
  ): Promise<DrivenSaga | null> {
    const [sagaRow, orderRow, claimRow] = [sagaKey(id), orderKey(order), claimKey(order)];
    const point = to === "undone" ? "closed" : to;
    await failPoint(`saga.${point}.before`);
    const driven = await this.#state.occ.transact<DrivenSaga | null>(
      [sagaRow, orderRow, claimRow],
      (view) => {
        const moved = transition({
          saga: view.get<Saga>(sagaRow),
          order: view.get<Order>(orderRow),
          claim: view.get<Claim>(claimRow),
        });
        return moved === null ? { result: null } : { result: { id, saga: moved.saga }, set: moved.set };
      },
      { meta: { op: `saga_${to}`, saga: id }, timeout },
    );
    await failPoint(`saga.${point}.after`);
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

/** @throws LostRaceError where it is gone: it was settled, and forgotten since */
function present({ saga }: Found): Saga {
  if (saga === null) throw new LostRaceError("the saga is gone");
  return saga;
}
