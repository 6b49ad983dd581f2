/** Checkouts by events: what messages may and may not do. */
import type { Mutant } from "../mutant.ts";

const FAULTS = "functions/order/test/event-faults";
const TAKEOVER = "functions/order/test/event-takeover";
const DIES = "a function dies between a message's effect and what follows from it";
const LATE = "a checkout does not end in its own time";

export const EVENTS: readonly Mutant[] = [
  {
    what: "a message counts as handled before what follows from it is sent",
    file: "functions/events/consumer.ts",
    before: "await sendEvents(following);",
    after: "void sendEvents(following).catch(() => undefined);",
    promise: DIES,
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "a message that failed is not told to the queue",
    file: "functions/events/consumer.ts",
    before: "batchItemFailures: failures.map(({ record }) => ({ itemIdentifier: record.messageId }))",
    after: "batchItemFailures: []",
    promise: DIES,
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "what was lost is not sent again",
    file: "functions/order/event-sagas.ts",
    before: "await sendEvents(outbox(current.id, current.saga));",
    after: "",
    promise: "the queue server dies with all it holds",
    project: "functions",
    tests: TAKEOVER,
  },
  {
    what: "a checkout that is given up is over with the first answer of two",
    file: "functions/order/sagas.ts",
    before: "const undo = current.undo.filter((name) => name !== step);",
    after: "const undo: string[] = [];",
    promise: LATE,
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "a charge that is told late pays a checkout that is given up",
    file: "functions/order/sagas.ts",
    before: "if (current?.version !== expected.version || current.state !== state)",
    after: 'if (current?.version !== expected.version || (current.state !== state && state !== "running"))',
    promise: LATE,
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "a release that comes before its reservation leaves no tombstone",
    file: "functions/stock/steps.ts",
    before: "if (marker === null && isForgotten({ saga, startedAt }, now, retention())) return { result: undefined };",
    after: "if (marker === null) return { result: undefined };",
    promise: "a message comes twice, or after one that was sent later",
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "a step is done until its marker is forgotten by this very clock",
    file: "functions/handler/steps.ts",
    before: "if (now - startedAt > retention - VALIDITY)",
    after: "if (now - startedAt > retention)",
    promise: "a message comes a day late",
    project: "functions",
    tests: FAULTS,
  },
  {
    what: "a message for one service is taken by another",
    file: "functions/events/seal.ts",
    before: "path: `/${to}`,",
    after: "path: `/${to.slice(0, 0)}`,",
    promise: "a message is forged, or was signed for another queue",
    project: "functions",
    tests: FAULTS,
  },
];
