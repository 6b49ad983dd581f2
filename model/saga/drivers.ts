/** Drivers: functions/order/saga-driver.ts with the transitions of sagas.ts, and the checkout that starts a saga. */
import type { Visit } from "../explorer.ts";
import { claimKey, orderKey, type Claim, type Order } from "../../functions/order/orders.ts";
import {
  abandon,
  close,
  LostRaceError,
  pay,
  sagaKey,
  start,
  stepsToUndo,
  type Failure,
  type Found,
  type Moved,
  type Saga,
} from "../../functions/order/sagas.ts";
import type { SagaFlaw } from "./flaws.ts";
import type { Answer } from "./services.ts";
import {
  including,
  NOBODY,
  ORDER,
  row,
  STEPS,
  UNDO,
  withDriver,
  withStory,
  written,
  type Call,
  type Driver,
  type SagaState,
  type Story,
} from "./state.ts";

const FAILURE: Failure = { kind: "aborted", code: "checkout_aborted", message: "" };
export const NEW_STORY: Story = {
  charges: 0,
  reserves: 0,
  chargedRow: -1,
  reservedRow: -1,
  outcome: "open",
  order: 0,
  wrongOrder: false,
};

/** What the driver waits for, as the network names it; null where it waits for nothing. */
export function awaited({ stage, id, attempted, undo }: Driver): { readonly call: Call; readonly id: string } | null {
  const step = stage === "forwards" ? attempted[0] : undefined;
  if (step !== undefined) return { call: step, id };
  return stage === "undo" ? { call: UNDO[undo[0] as keyof typeof UNDO], id } : null;
}

export function driverSteps(state: SagaState, d: number, flaw: SagaFlaw | undefined, visit: Visit<SagaState>): void {
  const driver = state.drivers[d] as Driver;
  const who = `driver ${d + 1}${driver.id === "" ? "" : ` (${driver.id})`}`;
  switch (driver.stage) {
    case "new":
      return begin(state, d, who, visit);
    case "forwards":
      return visit(
        `${who}: ${driver.attempted[0]} gets no answer in time`,
        withDriver(state, d, { stage: "abandon", refused: flaw === "timeout taken for a refusal" }),
      );
    case "pay":
      return move(
        state,
        d,
        flaw,
        (known, found) =>
          pay(
            driver.id,
            known,
            flaw === "paid without the claim" ? asIfItsOwn(found, driver.id, known.generation) : found,
          ),
        (moved) => {
          if (moved === null)
            return visit(`${who}: the order is no longer this saga's`, withDriver(state, d, { stage: "abandon" }));
          const wrongOrder = state.made.order !== state.stories[driver.id]?.order;
          visit(
            `${who}: running → paid`,
            withStory(withDriver(moved, d, NOBODY), driver.id, { outcome: "paid", wrongOrder }),
          );
        },
        (lost) => visit(`${who}: lost the race to pay, stops`, lost),
      );
    case "abandon": {
      const undo = stepsToUndo(driver.attempted, driver.refused);
      if (
        flaw === "compensation before it is durable" &&
        driver.saga?.state === "running" &&
        d >= 1 &&
        driver.undo.length === 0 &&
        undo.length > 0
      ) {
        return visit(
          `${who}: undoes ${undo.join(", ")} at once`,
          sendUndo(withDriver(state, d, { stage: "undo", undo })),
        );
      }
      return move(
        state,
        d,
        flaw,
        (known, found) => abandon(driver.id, known, found, undo, FAILURE),
        (moved) => {
          const next = moved as SagaState;
          if (undo.length === 0)
            return visit(
              `${who}: running → failed`,
              withStory(withDriver(next, d, NOBODY), driver.id, { outcome: "failed" }),
            );
          visit(
            `${who}: running → compensating, ${undo.join(" and ")} to be undone`,
            sendUndo(withDriver(next, d, { stage: "undo", undo })),
          );
        },
        (lost) => visit(`${who}: lost the race to give up, stops`, lost),
      );
    }
    case "close":
      if (driver.saga?.state === "running") return closeLate(state, d, flaw, who, visit);
      return move(
        state,
        d,
        flaw,
        (known, found) => close(driver.id, known, found),
        (moved) => {
          visit(
            `${who}: compensating → failed`,
            withStory(withDriver(moved as SagaState, d, NOBODY), driver.id, { outcome: "failed" }),
          );
        },
        (lost) => visit(`${who}: lost the race to close, stops`, lost),
      );
    default:
  }
}

/**
 * The transaction of functions/order/checkout.ts. A second checkout waits for the first one's outcome, and has nothing
 * more to do.
 */
function begin(state: SagaState, d: number, who: string, visit: Visit<SagaState>): void {
  const order = row<Order>(state.rows, orderKey(ORDER)) as Order;
  if (order.paid) return visit(`${who}: the order is paid already`, withDriver(state, d, NOBODY));
  if (row<Claim>(state.rows, claimKey(ORDER)) !== null)
    return visit(`${who}: follows the running checkout`, withDriver(state, d, NOBODY));
  const id = `S${d + 1}`;
  const { saga, set } = start(id, ORDER, order, { now: 0, timeout: 1 });
  const started = {
    ...state,
    rows: written(state.rows, set),
    stories: { ...state.stories, [id]: { ...NEW_STORY, order: state.made.order } },
  };
  const forwards = withDriver(started, d, { stage: "forwards", id, saga, attempted: [STEPS[0]] });
  visit(`${who}: starts ${id}, calls reserve`, send(forwards, STEPS[0], id));
}

/** One transition, as SagaJournal makes it: `moved` is null where the rule gives none. */
function move(
  state: SagaState,
  d: number,
  flaw: SagaFlaw | undefined,
  transition: (known: Saga, found: Found) => Moved | null,
  then: (moved: SagaState | null) => void,
  lost: (stopped: SagaState) => void,
): void {
  const { id, saga } = state.drivers[d] as Driver;
  const known = saga as Saga;
  const current = flaw === "version not compared" ? known : row<Saga>(state.rows, sagaKey(id));
  const [order, claim] = [row<Order>(state.rows, orderKey(ORDER)), row<Claim>(state.rows, claimKey(ORDER))];
  let moved;
  try {
    moved = transition(known, { saga: current, order, claim });
  } catch (error) {
    if (!(error instanceof LostRaceError)) throw error;
    return lost(withDriver(state, d, NOBODY));
  }
  then(moved === null ? null : withDriver({ ...state, rows: written(state.rows, moved.set) }, d, { saga: moved.saga }));
}

/** Mutant: the order as if it were still this saga's. */
function asIfItsOwn({ saga, order }: Found, id: string, generation: string): Found {
  return { saga, order: order && { ...order, generation }, claim: { saga: id } };
}

/** Mutant: all was undone before the saga says so. */
function closeLate(
  state: SagaState,
  d: number,
  flaw: SagaFlaw | undefined,
  who: string,
  visit: Visit<SagaState>,
): void {
  const { id } = state.drivers[d] as Driver;
  move(
    state,
    d,
    flaw,
    (known, found) => abandon(id, known, found, [], FAILURE),
    (moved) => {
      visit(
        `${who}: running → failed`,
        withStory(withDriver(moved as SagaState, d, NOBODY), id, { outcome: "failed" }),
      );
    },
    (lost) => visit(`${who}: lost the race to give up, stops`, lost),
  );
}

const send = (state: SagaState, call: Call, id: string): SagaState => ({
  ...state,
  sent: including(state.sent, `${call} ${id}`),
});

/** Each driver that has a step to undo sends the call for it. */
export function sendUndo(state: SagaState): SagaState {
  return state.drivers.reduce((next, driver) => {
    const wanted = driver.stage === "undo" ? awaited(driver) : null;
    return wanted === null ? next : send(next, wanted.call, wanted.id);
  }, state);
}

/** The driver gets the answer that it waits for. */
export function answered(state: SagaState, d: number, answer: Answer): SagaState {
  const { stage, id, attempted, undo } = state.drivers[d] as Driver;
  if (stage === "undo")
    return undo.length > 1
      ? sendUndo(withDriver(state, d, { undo: undo.slice(1) }))
      : withDriver(state, d, { stage: "close", undo: [] });
  if (answer !== "done") return withDriver(state, d, { stage: "abandon", refused: answer === "refused" });
  const next = STEPS[attempted.length];
  if (next === undefined) return withDriver(state, d, { stage: "pay" });
  return send(withDriver(state, d, { attempted: [next, ...attempted] }), next, id);
}
