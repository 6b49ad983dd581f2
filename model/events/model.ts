import type { Model, Violation, Visit } from "../explorer.ts";
import { outbox } from "../../functions/order/outbox.ts";
import { claimKey, newOrder, orderKey, type Claim, type Order } from "../../functions/order/orders.ts";
import { abandon, isSettled, LATE, sagaKey, start, UNDO_ALL, type Saga } from "../../functions/order/sagas.ts";
import { newUser, userKey, type User } from "../../functions/payment/users.ts";
import { itemKey, newItem, type Item } from "../../functions/stock/items.ts";
import { including, ITEM, ORDER, row, USER, written } from "../saga/state.ts";
import type { EventFlaw } from "./flaws.ts";
import { handled } from "./services.ts";
import { eventOf, textOf, type EventState, type Working } from "./state.ts";

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
      working: [],
      stories: {},
      budget: { checkouts, crashes, lost },
    },
    successors: (state, visit) => {
      begin(state, configuration, visit);
      deliveries(state, configuration, visit);
      followUps(state, configuration, visit);
      clock(state, configuration, visit);
      resend(state, configuration, visit);
    },
    encode: (state, into) => into.text(JSON.stringify(state)),
    violation: (state) => violation(state, configuration),
    settled: ({ rows, working, budget }) => budget.checkouts === 0 && working.length === 0 && open(rows).length === 0,
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
function begin(state: EventState, { checkouts }: EventConfiguration, visit: Visit<EventState>): void {
  const { rows, budget } = state;
  const order = row<Order>(rows, orderKey(ORDER)) as Order;
  if (budget.checkouts === 0 || row<Claim>(rows, claimKey(ORDER)) !== null) return;
  const left = { ...state, budget: { ...budget, checkouts: budget.checkouts - 1 } };
  if (order.paid) return visit("a checkout: the order is paid already", left);
  const id = `S${checkouts - budget.checkouts + 1}`;
  const { saga, set } = start(id, ORDER, order, { now: 0, timeout: 1 });
  visit(`${id} begins`, {
    ...left,
    rows: written(rows, set),
    stories: { ...state.stories, [id]: { charges: 0, reserves: 0 } },
    working: [...state.working, { message: "", following: outbox(id, saga).map(textOf) }],
  });
}

/** A message comes: its effect is durable from then on. */
function deliveries(state: EventState, { flaw }: EventConfiguration, visit: Visit<EventState>): void {
  for (const message of state.queued) {
    if (state.working.some((working) => working.message === message)) continue;
    const event = eventOf(message);
    const { set, following } = handled(state.rows, event, flaw);
    const next = told({ ...state, rows: written(state.rows, set) }, state, event.message.saga);
    const queued = flaw === "delete before the follow-up is sent" ? without(state.queued, message) : state.queued;
    const working: Working = { message, following: following.map(textOf) };
    visit(`${name(message)} comes`, { ...next, queued, working: [...state.working, working] });
    if (state.budget.lost > 0)
      visit(
        `${name(message)} is lost`,
        {
          ...state,
          queued: without(state.queued, message),
          budget: { ...state.budget, lost: state.budget.lost - 1 },
        },
        "fault",
      );
  }
}

/** What follows is sent, and then the message is deleted; or whoever was about to do that dies. */
function followUps(state: EventState, { duplicates }: EventConfiguration, visit: Visit<EventState>): void {
  for (const working of state.working) {
    const { message, following } = working;
    const rest = { ...state, working: without(state.working, working) };
    const sent = queue(rest, following);
    const who = message === "" ? "order" : `whoever has handled ${name(message)}`;
    const what = following.length === 0 ? "has nothing to send" : `sends ${following.map(name).join(" and ")}`;
    visit(`${who} ${what}`, { ...sent, queued: without(sent.queued, message) });
    if (duplicates && message !== "")
      visit(`${who} ${what}, and the message will come again`, queue(sent, [message]), "fault");
    if (state.budget.crashes > 0 && message !== "")
      visit(
        `${who} dies before anything is sent`,
        { ...rest, budget: { ...state.budget, crashes: state.budget.crashes - 1 } },
        "fault",
      );
  }
}

/** Order gives up what is past its own time. */
function clock(state: EventState, { time }: EventConfiguration, visit: Visit<EventState>): void {
  if (!time) return;
  for (const { id, saga } of open(state.rows)) {
    if (saga.state !== "running") continue;
    const { rows } = state;
    const [order, claim] = [row<Order>(rows, orderKey(ORDER)), row<Claim>(rows, claimKey(ORDER))];
    const given = abandon(id, saga, saga, order, claim, UNDO_ALL, LATE);
    visit(`the time of ${id} is over: it is given up`, {
      ...state,
      rows: written(rows, given.set),
      working: [...state.working, { message: "", following: outbox(id, given.saga).map(textOf) }],
    });
  }
}

function resend(state: EventState, { resend: allowed, flaw }: EventConfiguration, visit: Visit<EventState>): void {
  if (!allowed || flaw === "no resend") return;
  for (const { id, saga } of open(state.rows)) {
    const next = queue(state, outbox(id, saga).map(textOf));
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
