/**
 * What happens, told on `node:diagnostics_channel` to whoever listens: for metrics and traces. It costs nothing while
 * nobody does. Messages are read, and never changed.
 */
import { channel } from "node:diagnostics_channel";
import type { LogEvent } from "./recover/recovery.ts";

/**
 * A frame that was appended, or was not. On `log-replay:append`.
 *
 * @example
 * subscribe("log-replay:append", (message) => {
 *   const { commits, started, ended, error } = message as AppendMessage;
 *   console.log(`${commits} commits in ${ended - started} ms`, error);
 * });
 */
export interface AppendMessage {
  /** Of the `LoggedRedis`; undefined where it was given none. */
  readonly name: string | undefined;
  /** The store's id. */
  readonly store: string;
  readonly epoch: number;
  readonly commits: number;
  readonly bytes: number;
  /** By `performance.now()`. */
  readonly started: number;
  readonly ended: number;
  readonly error: unknown;
}

/**
 * What a restore tells about itself. On `log-replay:restore`.
 *
 * @example
 * subscribe("log-replay:restore", (message) => {
 *   const { name, event } = message as RestoreMessage;
 *   console.log(name, event);
 * });
 */
export type RestoreMessage = LogEvent & { readonly name: string | undefined; readonly store: string };

export const appends = channel("log-replay:append");
export const restores = channel("log-replay:restore");
