/** The checkout's saga and what the functions promise around it. */
import type { Mutant } from "../mutant.ts";

const SETTLES = "a host dies for good, others live";
const SERVICE_DOWN = "another service is slow or down";

export const SAGA: readonly Mutant[] = [
  {
    what: "batch_init looks for a running checkout only before its first chunk",
    file: "functions/handler/batch.ts",
    before: "if (blocker && blocked !== undefined) throw blocker.refuse(blocked);",
    after: "",
    promise: "A transaction sees one state at one instant",
    project: "functions",
    tests: "functions/order/test/routes",
  },
  {
    what: "a step is sent past the saga's deadline",
    file: "functions/order/saga-driver.ts",
    before: 'if (Date.now() >= forwards) throw new UnavailableError("checkout_aborted", LATE.message);',
    after: "",
    promise: SETTLES,
    project: "functions",
    tests: "functions/order/test/takeover",
  },
  {
    what: "a saga is taken over a second early",
    file: "functions/order/sagas.ts",
    before: "return left <= 0 ||",
    after: "return left <= 1_000 ||",
    promise: SETTLES,
    project: "functions",
    tests: "functions/order/test/sagas.property",
  },
  {
    what: "a saga that is stuck has all of the round's time",
    file: "functions/order/resume-sagas.ts",
    before: "Math.min(deadline, Date.now() + SHARE * stepTimeout())",
    after: "deadline",
    promise: SERVICE_DOWN,
    project: "functions",
    tests: "functions/order/test/takeover",
  },
  {
    what: "the retention leaves stock's markers behind",
    file: "functions/order/maintain.ts",
    before: 'await peers.step("/stock/forget", { sagas }, stepTimeout());',
    after: "",
    promise: "RETENTION_MS",
    project: "functions",
    tests: "functions/order/test/retention",
  },
  {
    what: "a saga's record is deleted though stock still has its marker",
    file: "functions/order/maintain.ts",
    before: 'await peers.step("/stock/forget", { sagas }, stepTimeout());',
    after: 'await peers.step("/stock/forget", { sagas }, stepTimeout()).catch(() => undefined);',
    promise: "RETENTION_MS",
    project: "functions",
    tests: "functions/order/test/retention",
  },
  {
    what: "a 400 of something on the way ends a compensation",
    file: "functions/order/saga-driver.ts",
    before: "await repeat(deadline, stepTimeout, call, (error) => error instanceof ShopError);",
    after: `await repeat(deadline, stepTimeout, call, (error) => error instanceof ShopError && !(error instanceof Refusal)).catch(
    (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
    },
  );`,
    promise: SERVICE_DOWN,
    project: "functions",
    tests: "functions/order/test/checkout",
  },
  {
    what: "a rollback begins before it is written down",
    file: "functions/order/saga-driver.ts",
    before:
      "return this.compensate(await journal.abandoned(driven, undo, failureOf(error), remaining(deadline)), deadline);",
    after: `await this.compensate({ ...driven, saga: { ...driven.saga, state: "compensating", undo } }, deadline).catch(() => undefined);
      return this.compensate(await journal.abandoned(driven, undo, failureOf(error), remaining(deadline)), deadline);`,
    promise: "A checkout whose driver is gone",
    project: "functions",
    tests: "functions/order/test/checkout",
  },
  {
    what: "a released reservation may be made again",
    file: "functions/stock/reservations.ts",
    before: 'if (marker?.state === "released")',
    after: "if (false)",
    promise: SERVICE_DOWN,
    project: "functions",
    tests: "functions/(stock|order)/test",
  },
  {
    what: "a reservation has its effect each time it is asked for",
    file: "functions/stock/reservations.ts",
    before: 'if (marker?.state === "reserved") return { set: [] };',
    after: "",
    promise: SERVICE_DOWN,
    project: "functions",
    tests: "functions/stock/test",
  },
  {
    what: "an order is paid though another saga has claimed it",
    file: "functions/order/sagas.ts",
    before: "if (claim?.saga !== id || order?.generation !== expected.generation) return null;",
    after: "if (order?.generation !== expected.generation) return null;",
    promise: "A checkout whose driver is gone",
    project: "functions",
    tests: "functions/order/test/sagas.property",
  },
  {
    what: "an order made anew is paid by the old one's checkout",
    file: "functions/order/sagas.ts",
    before: "if (claim?.saga !== id || order?.generation !== expected.generation) return null;",
    after: "if (claim?.saga !== id || order === null) return null;",
    promise: "A checkout whose driver is gone",
    project: "functions",
    tests: "functions/order/test/sagas.property",
  },
  {
    what: "of two drivers of one saga both go on",
    file: "functions/order/sagas.ts",
    before: "if (current?.version !== expected.version || current.state !== state)",
    after: "if (current?.state !== state)",
    promise: "A checkout whose driver is gone",
    project: "functions",
    tests: "functions/order/test/sagas.property",
  },
];
