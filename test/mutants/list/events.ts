/** Checkouts by events. */
import type { Mutant } from "../mutant.ts";

const events = (mutant: Omit<Mutant, "project" | "tests">): Mutant => ({
  ...mutant,
  file: `functions/${mutant.file}`,
  project: "functions",
  tests: "functions/order/test/event-faults",
});

export const EVENTS: readonly Mutant[] = [
  events({
    what: "what a queue has lost is not sent again",
    file: "order/event-sagas.ts",
    before: "  await sendEvents(outbox(current.id, current.saga));\n",
    after: "",
    promise: ["the queue server dies with all it holds", "a queue loses it, or everything"],
    name: "nobody waits any more, and the messages are gone",
  }),
  events({
    what: "a message whose handling failed is deleted",
    file: "events/consumer.ts",
    before: "    return { batchItemFailures: failures.map(({ record }) => ({ itemIdentifier: record.messageId })) };",
    after: "    return { batchItemFailures: [] };",
    promise: ["a service hangs", "a service's function fails", "whoever handles it dies"],
    name: "a batch: its messages share a group commit",
  }),
  {
    what: "a message that comes twice is answered without the refusal that the first one had",
    file: "functions/stock/reservations.ts",
    before: `{ state: "released", ...(refusal ? { refusal } : {}) }`,
    after: `{ state: "released" }`,
    promise: "it comes twice, or a day late",
    project: "functions",
    tests: "functions/order/test/event-checkout",
    name: "the refusal is the answer, and the stock is back",
  },
  events({
    what: "a message that can never be handled is dropped",
    file: "events/consumer.ts",
    before: "    return { record, hopeless: error instanceof Refusal };",
    after: "    return error instanceof Refusal ? null : { record, hopeless: false };",
    promise: ["a message can never be handled", "it can never be handled"],
    name: "poison",
  }),
  events({
    what: "a message is handled whoever has signed it",
    file: "events/seal.ts",
    before: "  authenticate(signed(to, text), body.slice(0, Math.max(0, end)), await signingSecret(Date.now()));\n",
    after: "",
    promise: ["it is not signed by a service of the shop", "a message is forged, or was signed for another queue"],
    name: "a message that none of the services has signed",
  }),
  events({
    what: "a saga is over before both of those it told have answered",
    file: "order/sagas.ts",
    before: "const undo = current.undo.filter((name) => name !== step);",
    after: "const undo: readonly string[] = [];",
    promise: "a checkout does not end in its own time",
    name: "it is not over before both have answered",
  }),
  events({
    what: "a message counts as handled before what follows from it is sent",
    file: "events/consumer.ts",
    before: "await sendEvents(following);",
    after: "void sendEvents(following).catch(() => undefined);",
    promise: "a function dies between a message's effect and what follows from it",
    name: "what follows from it cannot be sent",
  }),
  events({
    what: "a charge that is told late pays a checkout that is given up",
    file: "order/sagas.ts",
    before: "if (current?.version !== expected.version || current.state !== state)",
    after: 'if (current?.version !== expected.version || (current.state !== state && state !== "running"))',
    promise: "a checkout does not end in its own time",
    name: "payment_charged has not come",
  }),
  events({
    what: "a release that comes before its reservation leaves no tombstone",
    file: "stock/steps.ts",
    before: "if (marker === null && isForgotten({ saga, startedAt }, now, retention())) return { result: undefined };",
    after: "if (marker === null) return { result: undefined };",
    promise: ["a message comes twice, or after one that was sent later", "it comes before one that was sent earlier"],
    name: "leave tombstones",
  }),
  events({
    what: "a step is done until its marker is forgotten by this very clock",
    file: "handler/steps.ts",
    before: "if (now - startedAt > retention - VALIDITY)",
    after: "if (now - startedAt > retention)",
    promise: "a message comes a day late",
    name: "as old as markers get",
  }),
];
