import type { Model, Violation, Visit } from "../explorer.ts";
import { outbox } from "../../functions/order/outbox.ts";
import { claimKey, newOrder, orderKey, type Claim, type Order } from "../../functions/order/orders.ts";
import {
  abandon,
  isSettled,
  LATE,
  pay,
  sagaKey,
  start,
  stepsToUndo,
  UNDO_ALL,
  type Saga,
} from "../../functions/order/sagas.ts";
import { newUser, userKey, type User } from "../../functions/payment/users.ts";
import { itemKey, newItem, type Item } from "../../functions/stock/items.ts";
import { including, ITEM, ORDER, row, USER, written } from "../saga/state.ts";
import { CALLS } from "./calls.ts";
import type { EventFlaw } from "./flaws.ts";
import { handled } from "./services.ts";
import { eventOf, textOf, type EventState } from "./state.ts";

export interface EventConfiguration {
  /** Of the one order, one after the other. */
  readonly checkouts: number;
  readonly stock: number;
  readonly credit: number;
  /** How often a function dies between a message's effect and what follows from it. */
  readonly crashes: number;
  /** How often a queue loses a message. */
  readonly lost: number;
  /** True where a message may come again at any time after it was handled, as often as it likes. */
  readonly duplicates: boolean;
  /** True where a saga may come to the end of its own time. */
  readonly time: boolean;
  /** True where what has made no progress is sent again. */
  readonly resend: boolean;
  /** True where checkouts are begun by drivers that call the services. */
  readonly byCalls?: boolean;
  readonly flaw?: EventFlaw | undefined;
}

/** One order of one item for one credit, and its checkouts by events. */
export function eventModel(configuration: EventConfiguration): Model<EventState> {
  const { checkouts, crashes, lost, stock, credit } = configuration;
  const order: Order = { ...newOrder(USER, "0"), items: [[ITEM, 1]], total: 1 };
  return {
    initial: {
      rows: written({}, [
        [orderKey(ORDER), order],
        [itemKey(ITEM), newItem(1, stock, "0")],
        [userKey(USER), newUser(credit, "0")],
      ]),
      queued: [],
      stories: {},
      attempted: {},
      budget: { checkouts, crashes, lost },
    },
    successors: (state, visit) => {
      begin(state, configuration, visit);
      drive(state, configuration, visit);
      deliveries(state, configuration, visit);
      clock(state, configuration, visit);
      resend(state, configuration, visit);
    },
    encode: (state, into) => into.text(JSON.stringify(state)),
    violation: (state) => violation(state, configuration),
    settled: ({ rows, budget }) => budget.checkouts === 0 && open(rows).length === 0,
    describe,
  };
}

function open(rows: EventState["rows"]): { id: string; saga: Saga }[] {
  return Object.keys(rows).flatMap((key) => {
    const saga = key.startsWith("saga:") ? row<Saga>(rows, key) : null;
    return saga !== null && !isSettled(saga) ? [{ id: key.slice(5), saga }] : [];
  });
}

const queue = (state: EventState, messages: readonly string[]): EventState => ({
  ...state,
  queued: messages.reduce(including, state.queued),
});

const without = <T>(list: readonly T[], one: T): readonly T[] => list.filter((other) => other !== one);

/** The transaction of functions/order/checkout.ts. */
function begin(state: EventState, { checkouts, byCalls = false }: EventConfiguration, visit: Visit<EventState>): void {
  const { rows, budget } = state;
  const order = row<Order>(rows, orderKey(ORDER)) as Order;
  if (budget.checkouts === 0 || row<Claim>(rows, claimKey(ORDER)) !== null) return;
  const left = { ...state, budget: { ...budget, checkouts: budget.checkouts - 1 } };
  if (order.paid) return visit("a checkout: the order is paid already", left);
  const id = `S${checkouts - budget.checkouts + 1}`;
  const { saga, set } = start(id, ORDER, order, { now: 0, timeout: 1, mode: byCalls ? "sync" : "events" });
  const stories = { ...state.stories, [id]: { charges: 0, reserves: 0 } };
  visit(`${id} begins`, queue({ ...left, rows: written(rows, set), stories }, outbox(id, saga).map(textOf)));
}

/** The driver of functions/order/saga-driver.ts: it may stop anywhere, for ever. What it gives up is undone by messages here. */
function drive(state: EventState, { byCalls = false }: EventConfiguration, visit: Visit<EventState>): void {
  if (!byCalls) return;
  const { rows } = state;
  for (const { id, saga } of open(rows)) {
    if (saga.state !== "running") continue;
    const found = { saga, order: row<Order>(rows, orderKey(ORDER)), claim: row<Claim>(rows, claimKey(ORDER)) };
    const attempted = state.attempted[id] ?? [];
    const given = abandon(id, saga, found, stepsToUndo(attempted, false), LATE);
    visit(`the driver of ${id} gives it up`, { ...state, rows: written(rows, given.set) });
    const call = CALLS[attempted.length];
    if (call === undefined) {
      const paid = pay(id, saga, found);
      if (paid !== null) visit(`the driver of ${id} pays`, { ...state, rows: written(rows, paid.set) });
      continue;
    }
    const { set } = handled(rows, call.asks(id, saga), undefined);
    const done = {
      ...state,
      rows: written(rows, set),
      attempted: { ...state.attempted, [id]: [call.step, ...attempted] },
    };
    visit(`the driver of ${id} has it ${call.done}`, told(done, state, id));
  }
}

/**
 * A message comes: its effect is durable, then what follows is sent, then the message is deleted. That is one step but where
 * somebody dies in between: what is sent late is what comes late.
 */
function deliveries(state: EventState, { duplicates, flaw }: EventConfiguration, visit: Visit<EventState>): void {
  const { budget } = state;
  for (const message of state.queued) {
    const event = eventOf(message);
    const { set, following } = handled(state.rows, event, flaw);
    const done = told({ ...state, rows: written(state.rows, set) }, state, event.message.saga);
    const sent = queue(done, following.map(textOf));
    const deleted = (from: EventState): EventState => ({ ...from, queued: without(from.queued, message) });
    const what = name(message);
    visit(`${what} is handled`, deleted(sent));
    if (duplicates) visit(`${what} is handled, and will come again`, sent, "fault");
    if (budget.crashes > 0) {
      const dead = { ...done, budget: { ...budget, crashes: budget.crashes - 1 } };
      const first = flaw === "delete before the follow-up is sent" ? deleted(dead) : dead;
      visit(`whoever handles ${what} dies before anything is sent`, first, "fault");
    }
    if (budget.lost > 0)
      visit(`${what} is lost`, deleted({ ...state, budget: { ...budget, lost: budget.lost - 1 } }), "fault");
  }
}

/** Order gives up what is past its own time. */
function clock(state: EventState, { time }: EventConfiguration, visit: Visit<EventState>): void {
  if (!time) return;
  for (const { id, saga } of open(state.rows)) {
    if (saga.state !== "running") continue;
    const { rows } = state;
    const [order, claim] = [row<Order>(rows, orderKey(ORDER)), row<Claim>(rows, claimKey(ORDER))];
    const given = abandon(id, saga, { saga, order, claim }, UNDO_ALL, LATE);
    const messages = outbox(id, given.saga).map(textOf);
    visit(`the time of ${id} is over: it is given up`, queue({ ...state, rows: written(rows, given.set) }, messages));
  }
}

function resend(state: EventState, { resend: allowed, flaw }: EventConfiguration, visit: Visit<EventState>): void {
  if (!allowed || flaw === "no resend") return;
  for (const { id, saga } of open(state.rows)) {
    const record: Saga = flaw === "events go on with calls" ? { ...saga, mode: "events" } : saga;
    const next = queue(state, outbox(id, record).map(textOf));
    if (next.queued.length > state.queued.length) visit(`what the record of ${id} says is sent again`, next);
  }
}

/** Notes what really happened, from the rows alone: no marker is believed. */
function told(state: EventState, { rows: before }: EventState, id: string): EventState {
  const story = state.stories[id] ?? { charges: 0, reserves: 0 };
  const amount = (rows: EventState["rows"]): { credit: number; stock: number } => ({
    credit: (row<User>(rows, userKey(USER)) as User).credit,
    stock: (row<Item>(rows, itemKey(ITEM)) as Item).stock,
  });
  const [was, is] = [amount(before), amount(state.rows)];
  const charges = story.charges + (is.credit < was.credit ? 1 : 0);
  const reserves = story.reserves + (is.stock < was.stock ? 1 : 0);
  return { ...state, stories: { ...state.stories, [id]: { charges, reserves } } };
}

function violation({ rows, stories }: EventState, { stock, credit }: EventConfiguration): Violation | null {
  const user = row<User>(rows, userKey(USER)) as User;
  const item = row<Item>(rows, itemKey(ITEM)) as Item;
  const twice = Object.entries(stories).find(([, { charges, reserves }]) => charges > 1 || reserves > 1);
  if (twice) return { invariant: "5 at most once", what: `${twice[0]} was charged or reserved for twice` };
  if (Math.min(user.credit, user.held, item.stock, item.held) < 0)
    return { invariant: "6 conservation", what: `something is negative: ${JSON.stringify({ user, item })}` };
  if (open(rows).length > 0) return null;
  const paid = Object.keys(rows).filter(
    (key) => row<Saga>(rows, key)?.state === "paid" && key.startsWith("saga:"),
  ).length;
  const taken = { credit: credit - user.credit, stock: stock - item.stock };
  return taken.credit === paid && taken.stock === paid
    ? null
    : {
        invariant: "6 conservation",
        what: `all is settled, ${paid} orders are paid, ${taken.credit} credit and ${taken.stock} items are taken`,
      };
}

function name(message: string): string {
  const {
    message: { type, saga },
  } = eventOf(message);
  return `${type} of ${saga}`;
}

function describe({ rows, queued }: EventState): string {
  const sagas = Object.keys(rows)
    .filter((key) => key.startsWith("saga:"))
    .map((key) => `${key.slice(5)} ${row<Saga>(rows, sagaKey(key.slice(5)))?.state}`);
  const user = row<User>(rows, userKey(USER));
  const item = row<Item>(rows, itemKey(ITEM));
  return `credit ${user?.credit}, stock ${item?.stock} | ${sagas.join("; ") || "no saga"} | queued: ${queued.map(name).join(", ") || "nothing"}`;
}
