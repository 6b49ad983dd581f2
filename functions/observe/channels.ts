/**
 * What the functions do, told on `node:diagnostics_channel`: who wants metrics or traces listens, and it costs nothing
 * while nobody does. The layers tell what they do in the same way (redis-occ:*, log-replay:*), by the service's name.
 */
import { channel, tracingChannel, type TracingChannel } from "node:diagnostics_channel";

/** A request that was answered. On `shop:request`. */
export interface RequestMessage {
  readonly service: string;
  readonly method: string;
  /** As the gateway has it: `/stock/add/{item_id}/{amount}`. */
  readonly route: string;
  readonly status: number;
  /** Milliseconds. */
  readonly ms: number;
}

/** A checkout that was settled. On `shop:saga`. */
export interface SagaMessage {
  readonly saga: string;
  readonly outcome: "paid" | "refused" | "aborted";
  /** Milliseconds since it began. */
  readonly ms: number;
}

/** Checkouts that are a minute past their deadline, as resume-sagas counts them. On `shop:stuck`. */
export interface StuckMessage {
  readonly stuck: number;
}

/** A stretch of work that is traced. A listener puts its own traceparent into `trace`, for what the work asks of others. */
export interface Work {
  readonly name: string;
  readonly kind: "server" | "client" | "internal" | "producer" | "consumer";
  readonly attributes: Readonly<Record<string, string | number>>;
  /** W3C traceparent: of whoever asked for it, and then its own. */
  trace: string;
  /** True where `trace` came from outside this process's own work. */
  readonly remote: boolean;
  /** Set once it is known: the status of the answer. */
  status?: number;
}

export const requests = channel("shop:request");
export const sagas = channel("shop:saga");
export const stuck = channel("shop:stuck");
/** `tracing:shop:work:start` and so on. */
export const works: TracingChannel<Work> = tracingChannel<Work>("shop:work");

/** Runs what is traced. @param run is given the traceparent for what it asks of others */
export function traced<T>(work: Work, run: (work: Work) => Promise<T>): Promise<T> {
  return works.hasSubscribers ? works.tracePromise(() => run(work), work) : run(work);
}
