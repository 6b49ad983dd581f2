import type { Model, Violation, Visit } from "../explorer.ts";
import { claimKey, newOrder, orderKey, type Claim, type Order } from "../../functions/order/orders.ts";
import { isSettled, sagaKey, type Saga } from "../../functions/order/sagas.ts";
import { chargeKey } from "../../functions/payment/charges.ts";
import { addFunds, newUser, userKey, type User } from "../../functions/payment/users.ts";
import { itemKey, newItem, type Item } from "../../functions/stock/items.ts";
import { reservationKey } from "../../functions/stock/reservations.ts";
import { answered, awaited, driverSteps, sendUndo } from "./drivers.ts";
import type { SagaFlaw } from "./flaws.ts";
import { deliver, forget } from "./services.ts";
import {
  including,
  ITEM,
  NOBODY,
  ORDER,
  row,
  STEPS,
  USER,
  withDriver,
  written,
  type Call,
  type Driver,
  type SagaState,
} from "./state.ts";

export interface SagaConfiguration {
  /** Checkouts of the one order, and resumers at the same time. */
  readonly checkouts: number;
  readonly resumers: number;
  readonly stock: number;
  readonly credit: number;
  readonly crashes: number;
  /** How often `batch_init` makes the order, the item or the user anew. */
  readonly remakes: number;
  /** How often the user gets one credit more. */
  readonly funds: number;
  /** True if `batch_init` overwrites an order while its checkout runs, which the real one refuses to do. */
  readonly careless?: boolean;
  readonly flaw?: SagaFlaw | undefined;
}

/** One order of one item for one credit, and the checkouts of it. */
export function sagaModel(configuration: SagaConfiguration): Model<SagaState> {
  const { checkouts, resumers, flaw } = configuration;
  const drivers = Array.from({ length: checkouts + resumers }, (_, i): Driver =>
    i < checkouts ? { ...NOBODY, stage: "new" } : NOBODY,
  );
  const order: Order = { ...newOrder(USER, "0"), items: [[ITEM, 1]], total: 1 };
  return {
    initial: {
      rows: written({}, [
        [orderKey(ORDER), order],
        [itemKey(ITEM), newItem(1, configuration.stock, "0")],
        [userKey(USER), newUser(configuration.credit, "0")],
      ]),
      drivers,
      sent: [],
      overdue: [],
      expired: [],
      stories: {},
      made: { order: 0, item: 0, user: 0 },
      funded: 0,
      budget: { crashes: configuration.crashes, remakes: configuration.remakes, funds: configuration.funds },
    },
    successors: (state, visit) => {
      state.drivers.forEach((_, d) => driverSteps(state, d, flaw, visit));
      deliveries(state, flaw, visit);
      clock(state, visit);
      resume(state, checkouts, flaw, visit);
      forgetting(state, flaw, visit);
      disturb(state, configuration, visit);
    },
    encode: (state, into) => into.text(JSON.stringify(state)),
    violation: (state) => violation(state, configuration),
    settled: ({ rows, drivers: all }) => all.every(({ stage }) => stage === "gone") && openSagas(rows).length === 0,
    describe,
  };
}

function openSagas(rows: SagaState["rows"]): { id: string; saga: Saga }[] {
  return Object.keys(rows).flatMap((key) => {
    const saga = key.startsWith("saga:") ? row<Saga>(rows, key) : null;
    return saga !== null && !isSettled(saga) ? [{ id: key.slice(5), saga }] : [];
  });
}

/** Every call that was sent may come now: for the first time, again, or long after anybody waited for it. */
function deliveries(state: SagaState, flaw: SagaFlaw | undefined, visit: Visit<SagaState>): void {
  for (const message of state.sent) {
    const [call, id] = message.split(" ") as [Call, string];
    const waiting = state.drivers.flatMap((driver, d) => {
      const wanted = awaited(driver);
      return wanted?.call === call && wanted.id === id ? [d] : [];
    });
    // A call that nobody waits for any more carries an old signature by then.
    if (waiting.length === 0 && state.expired.includes(id) && flaw !== "age not checked") continue;
    const { next, answer } = deliver(state, call, id, flaw);
    visit(`${message} arrives and is ${answer}, the answer is lost or nobody waits for it`, next, "fault");
    for (const d of waiting)
      visit(`${message} arrives and is ${answer}, driver ${d + 1} is told`, answered(next, d, answer));
  }
}

/** Time passes: deadlines and retention. */
function clock(state: SagaState, visit: Visit<SagaState>): void {
  for (const id of Object.keys(state.stories)) {
    if (!state.overdue.includes(id))
      visit(`the deadline of ${id} passes`, { ...state, overdue: including(state.overdue, id) });
    else if (!state.expired.includes(id))
      visit(`the retention of ${id} passes`, { ...state, expired: including(state.expired, id) });
  }
}

/** `settleOverdue`: takes over what is past its deadline, wherever it stands. */
function resume(state: SagaState, checkouts: number, flaw: SagaFlaw | undefined, visit: Visit<SagaState>): void {
  const d = state.drivers.findIndex(({ stage }, i) => i >= checkouts && stage === "gone");
  if (d < 0) return;
  for (const { id, saga } of openSagas(state.rows)) {
    if (
      !state.overdue.includes(id) ||
      state.drivers.some((driver, i) => i >= checkouts && driver.stage !== "gone" && driver.id === id)
    )
      continue;
    if (saga.state === "running") {
      visit(
        `driver ${d + 1}: takes over ${id}, which is overdue`,
        withDriver(state, d, { stage: "abandon", id, saga, attempted: [...STEPS].reverse(), refused: false, undo: [] }),
      );
    } else if (flaw !== "compensation dropped") {
      visit(
        `driver ${d + 1}: goes on to compensate ${id}`,
        sendUndo(withDriver(state, d, { stage: "undo", id, saga, undo: saga.undo ?? [] })),
      );
    }
  }
}

/** `forgetSagas`: payment first, then stock, then the saga itself. */
function forgetting(state: SagaState, flaw: SagaFlaw | undefined, visit: Visit<SagaState>): void {
  for (const id of state.expired) {
    const saga = row<Saga>(state.rows, sagaKey(id));
    if (saga === null || (!isSettled(saga) && flaw !== "forget before settled")) continue;
    if (chargeKey(id) in state.rows) visit(`payment forgets ${id}`, forget(state, "payment", id));
    else if (reservationKey(id) in state.rows) visit(`stock forgets ${id}`, forget(state, "stock", id));
    else if (isSettled(saga))
      visit(`order forgets ${id}`, { ...state, rows: written(state.rows, [[sagaKey(id), null]]) });
  }
}

function disturb(
  state: SagaState,
  { stock, credit, careless = false, flaw }: SagaConfiguration,
  visit: Visit<SagaState>,
): void {
  const { rows, made, budget } = state;
  if (budget.crashes > 0) {
    state.drivers.forEach(({ stage }, d) => {
      if (stage !== "gone" && stage !== "new")
        visit(
          `driver ${d + 1} crashes`,
          { ...withDriver(state, d, NOBODY), budget: { ...budget, crashes: budget.crashes - 1 } },
          "fault",
        );
    });
  }
  if (budget.funds > 0) {
    const user = addFunds(row<User>(rows, userKey(USER)) as User, 1);
    visit(
      "the user gets one credit more",
      {
        ...state,
        rows: written(rows, [[userKey(USER), user]]),
        funded: state.funded + 1,
        budget: { ...budget, funds: budget.funds - 1 },
      },
      "fault",
    );
  }
  if (budget.remakes === 0) return;
  const generation = (n: number): string => (flaw === "generation not compared" ? "0" : String(n));
  const left = { ...state, budget: { ...budget, remakes: budget.remakes - 1 } };
  visit(
    "batch_init makes the item anew",
    {
      ...left,
      made: { ...made, item: made.item + 1 },
      rows: written(rows, [[itemKey(ITEM), newItem(1, stock, generation(made.item + 1))]]),
    },
    "fault",
  );
  visit(
    "batch_init makes the user anew",
    {
      ...left,
      funded: 0,
      made: { ...made, user: made.user + 1 },
      rows: written(rows, [[userKey(USER), newUser(credit, generation(made.user + 1))]]),
    },
    "fault",
  );
  if (row<Claim>(rows, claimKey(ORDER)) === null || careless) {
    const order: Order = { ...newOrder(USER, generation(made.order + 1)), items: [[ITEM, 1]], total: 1 };
    const drivers = state.drivers;
    visit(
      "batch_init makes the order anew",
      { ...left, drivers, made: { ...made, order: made.order + 1 }, rows: written(rows, [[orderKey(ORDER), order]]) },
      "fault",
    );
  }
}

function violation({ rows, stories, made, funded }: SagaState, { stock, credit }: SagaConfiguration): Violation | null {
  const user = row<User>(rows, userKey(USER)) as User;
  const item = row<Item>(rows, itemKey(ITEM)) as Item;
  if (Math.min(user.credit, user.held, item.stock, item.held) < 0)
    return { invariant: "6 conservation", what: `something is negative: ${JSON.stringify({ user, item })}` };
  const all = Object.entries(stories);
  const twice = all.find(([, { charges, reserves }]) => charges > 1 || reserves > 1);
  if (twice)
    return {
      invariant: "5 at most once",
      what: `${twice[0]} had ${twice[1].charges} charges and ${twice[1].reserves} reservations`,
    };
  const paid = all.filter(([, { outcome }]) => outcome === "paid");
  for (const [id, { charges, reserves, order, wrongOrder }] of paid) {
    if (wrongOrder) return { invariant: "6 conservation", what: `${id} paid an order that it was not started for` };
    if (charges === 0 || reserves === 0)
      return {
        invariant: "6 conservation",
        what: `${id} is paid with ${charges} charges and ${reserves} reservations`,
      };
    if (paid.some(([other, story]) => other !== id && story.order === order))
      return { invariant: "6 conservation", what: "an order was charged twice" };
  }
  if (all.some(([, { outcome }]) => outcome === "open")) return null;
  const taken = credit + funded - user.credit;
  const sold = stock - item.stock;
  const charged = paid.filter(([, { chargedRow }]) => chargedRow === made.user).length;
  const reserved = paid.filter(([, { reservedRow }]) => reservedRow === made.item).length;
  if (taken !== charged)
    return {
      invariant: "6 conservation",
      what: `all is settled, ${taken} credit is taken, paid orders cost ${charged}`,
    };
  return sold === reserved
    ? null
    : { invariant: "6 conservation", what: `all is settled, ${sold} items are taken, paid orders have ${reserved}` };
}

function describe({ rows, made }: SagaState): string {
  const state = (key: string): string => (rows[key] as { readonly state?: string } | undefined)?.state ?? "-";
  const sagas = Object.keys(rows)
    .filter((key) => key.startsWith("saga:"))
    .map((key) => key.slice(5));
  const user = row<User>(rows, userKey(USER));
  const item = row<Item>(rows, itemKey(ITEM));
  const order = row<Order>(rows, orderKey(ORDER));
  const told = sagas.map(
    (id) => `${id} ${state(sagaKey(id))} (reservation ${state(reservationKey(id))}, charge ${state(chargeKey(id))})`,
  );
  return `credit ${user?.credit}, stock ${item?.stock}, order ${order?.paid ? "paid" : "unpaid"}${made.order > 0 ? `, made ${made.order + 1} times` : ""} | ${told.join("; ") || "no saga"}`;
}
