/** The rows of three services, and what is in their queues. */
import type { Outgoing } from "../../functions/events/messages.ts";
import type { Rows } from "../saga/state.ts";

/** What happened to one saga, as nobody in the system knows it. */
export interface Story {
  readonly charges: number;
  readonly reserves: number;
}

export interface EventState {
  readonly rows: Rows;
  /** In all queues; one that is there twice is one that comes again. Each may come at any time, and in any order. */
  readonly queued: readonly string[];
  readonly stories: Readonly<Record<string, Story>>;
  /** The steps that the driver of a checkout by calls has attempted, the last one first. */
  readonly attempted: Readonly<Record<string, readonly string[]>>;
  readonly budget: { readonly checkouts: number; readonly crashes: number; readonly lost: number };
}

export const textOf = (event: Outgoing): string => JSON.stringify(event);
export const eventOf = (message: string): Outgoing => JSON.parse(message) as Outgoing;
