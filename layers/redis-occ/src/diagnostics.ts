/**
 * What happens, told on `node:diagnostics_channel` to whoever listens: for metrics and traces. It costs nothing while
 * nobody does. Messages are read, and never changed.
 */
import { channel, tracingChannel } from "node:diagnostics_channel";

/**
 * One transaction, from `transact` until its caller has the answer. On `tracing:redis-occ:transaction:*`.
 *
 * @example
 * subscribe("tracing:redis-occ:transaction:asyncEnd", (message) => {
 *   const { name, meta } = message as TransactionMessage;
 *   console.log(name, meta);
 * });
 */
export interface TransactionMessage {
  /** Of the `Occ`; undefined where it was given none. */
  readonly name: string | undefined;
  /** As the caller gave it. */
  readonly meta: unknown;
}

/**
 * One attempt of a group, once it has ended. On `redis-occ:attempt`.
 *
 * @example
 * subscribe("redis-occ:attempt", (message) => {
 *   const { outcome, size, started, ended } = message as AttemptMessage;
 *   console.log(`${size} transactions, ${outcome}, in ${ended - started} ms`);
 * });
 */
export interface AttemptMessage {
  readonly name: string | undefined;
  /** `conflict`: another client had changed a key, and nothing happened. `failed`: an error, and nothing happened. */
  readonly outcome: "executed" | "half done" | "conflict" | "restore" | "lost" | "nothing" | "failed";
  /** How many transactions were in it. */
  readonly size: number;
  /** Those of them that are traced. */
  readonly transactions: readonly TransactionMessage[];
  /** By `performance.now()`. */
  readonly started: number;
  readonly ended: number;
}

export const transactionChannel = tracingChannel<TransactionMessage>("redis-occ:transaction");
export const attemptChannel = channel("redis-occ:attempt");
