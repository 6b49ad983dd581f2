import { failPoint } from "../fail-points.ts";
import { traced, type Work } from "../observe/channels.ts";
import type { Peers } from "./peers.ts";
import type { Saga } from "./sagas.ts";

/**
 * One step of a saga. Both directions are repeatable: the other side keeps a marker under the saga's id. A step that
 * was compensated refuses a late execute.
 */
export interface SagaStep {
  readonly name: string;
  readonly execute: (peers: Peers, id: string, saga: Saga, timeout: number) => Promise<void>;
  readonly compensate: (peers: Peers, id: string, saga: Saga, timeout: number) => Promise<void>;
}

/** The checkout: executed from top to bottom, compensated from bottom to top. */
export const CHECKOUT: readonly SagaStep[] = [
  {
    name: "reserve",
    execute: call("reserve", "/stock/reserve", ({ items }) => ({ lines: items })),
    compensate: call("release", "/stock/release"),
  },
  {
    name: "charge",
    execute: call("charge", "/payment/charge", ({ user, total }) => ({ user, amount: total })),
    compensate: call("refund", "/payment/refund"),
  },
];

function call(
  name: "reserve" | "charge" | "refund" | "release",
  path: string,
  more: (saga: Saga) => object = () => ({}),
): SagaStep["execute"] {
  return async (peers, id, saga, timeout) => {
    await failPoint(`saga.${name}.before`);
    const body = { saga: id, startedAt: saga.startedAt, ...more(saga) };
    const work: Work = {
      name,
      kind: "client",
      attributes: { "shop.service": "order", "shop.saga": id },
      trace: saga.traceparent ?? "",
      remote: false,
    };
    await traced(work, ({ trace }) => peers.step(path, body, timeout, trace));
    await failPoint(`saga.${name}.after`);
  };
}
