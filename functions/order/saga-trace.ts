import { traced, type Work } from "../observe/channels.ts";
import { strictTraceparent, traceIdOf } from "../observe/trace-context.ts";
import type { DrivenSaga } from "./saga-journal.ts";
import type { Saga } from "./sagas.ts";

/** Does something for a saga as part of the trace of the request that began it, whoever does it. */
export function inItsTrace<T>(name: string, { id, saga }: DrivenSaga, run: () => Promise<T>): Promise<T> {
  const trace = strictTraceparent(saga.traceparent);
  const work: Work = {
    name,
    kind: "internal",
    attributes: { "shop.service": "order", "shop.saga": id },
    trace,
    remote: trace !== "",
  };
  return traced(work, run);
}

/** For the request log: the trace of the request that began it. */
export function traceNote({ traceparent }: Saga): { readonly trace?: string } {
  const id = traceIdOf(traceparent);
  return id === null ? {} : { trace: id };
}
