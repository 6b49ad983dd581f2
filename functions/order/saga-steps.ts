import type { Services } from "./services.ts";
import type { Saga } from "./sagas.ts";

/**
 * One step of a saga. Both directions are repeatable: the other side keeps a marker under the saga's id. A step that
 * was compensated refuses a late execute.
 */
export interface SagaStep {
  readonly name: string;
  readonly execute: (services: Services, id: string, saga: Saga, timeout: number) => Promise<void>;
  readonly compensate: (services: Services, id: string, saga: Saga, timeout: number) => Promise<void>;
}

/** The checkout: executed from top to bottom, compensated from bottom to top. */
export const CHECKOUT: readonly SagaStep[] = [
  {
    name: "reserve",
    execute: (services, id, { startedAt, items }, timeout) => services.step("/stock/reserve", { saga: id, startedAt, lines: items }, timeout),
    compensate: (services, id, { startedAt }, timeout) => services.step("/stock/release", { saga: id, startedAt }, timeout),
  },
  {
    name: "charge",
    execute: (services, id, { startedAt, user, total }, timeout) => services.step("/payment/charge", { saga: id, startedAt, user, amount: total }, timeout),
    compensate: (services, id, { startedAt }, timeout) => services.step("/payment/refund", { saga: id, startedAt }, timeout),
  },
];
