import type { Invariant } from "../invariants.ts";
import type { EventFlaw } from "./flaws.ts";
import type { EventConfiguration } from "./model.ts";

const ONE: EventConfiguration = {
  checkouts: 1,
  stock: 1,
  credit: 1,
  crashes: 1,
  lost: 1,
  duplicates: false,
  time: true,
  resend: true,
};
/** Messages that come again, and late, as often as they like. */
const AGAIN: EventConfiguration = { ...ONE, crashes: 0, lost: 0, duplicates: true, resend: false };
/** Queues that lose nothing, and a clock that stands still: messages alone have to bring it to its end. */
const BY_MESSAGES_ALONE: EventConfiguration = { ...ONE, lost: 0, time: false, resend: false };

/** Drivers that call the services, while others have SAGA=events: as a deployment has it that updates its functions one by one. */
const BESIDE_CALLS: EventConfiguration = { ...ONE, lost: 0, byCalls: true };

export const EVENT_CONFIGURATIONS: Readonly<Record<string, EventConfiguration>> = {
  "one checkout by events, a crash and a loss": ONE,
  "messages that come again, whenever they like": AGAIN,
  "by messages alone": BY_MESSAGES_ALONE,
  "stock is out": { ...AGAIN, stock: 0 },
  "credit is out": { ...AGAIN, credit: 0 },
  "a checkout by calls beside processes by events": BESIDE_CALLS,
  "a second checkout after the first": { ...AGAIN, checkouts: 2, duplicates: false },
};

/** For each trap, a configuration in which it is fallen into, and the invariant that is broken then. */
export const EVENT_MUTANTS: Readonly<Record<EventFlaw, EventConfiguration & { readonly breaks: Invariant }>> = {
  "delete before the follow-up is sent": { ...BY_MESSAGES_ALONE, breaks: "7 settles by itself" },
  "no tombstone for a message": { ...AGAIN, breaks: "6 conservation" },
  "no resend": { ...ONE, breaks: "7 settles by itself" },
  "close before both answers": { ...AGAIN, breaks: "6 conservation" },
  "events go on with calls": { ...BESIDE_CALLS, breaks: "6 conservation" },
  "a late charge pays": { ...AGAIN, breaks: "6 conservation" },
};
