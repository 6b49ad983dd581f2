/** The rows of three services, their queues, and whoever is between the effect of a message and what follows from it. */
import type { Outgoing } from "../../functions/events/messages.ts";
import type { Rows } from "../saga/state.ts";

/** A function that has made a message's effect durable, and has yet to send what follows and to delete the message. */
export interface Working {
  /** As the queue has it; "" where it is the request that begins a checkout, or order by its clock. */
  readonly message: string;
  readonly following: readonly string[];
}

/** What happened to one saga, as nobody in the system knows it. */
export interface Story {
  readonly charges: number;
  readonly reserves: number;
}

export interface EventState {
  readonly rows: Rows;
  /** In all queues; one that is there twice is one that comes again. Each may come at any time, and in any order. */
  readonly queued: readonly string[];
  readonly working: readonly Working[];
  readonly stories: Readonly<Record<string, Story>>;
  readonly budget: { readonly checkouts: number; readonly crashes: number; readonly lost: number };
}

export const textOf = (event: Outgoing): string => JSON.stringify(event);
export const eventOf = (message: string): Outgoing => JSON.parse(message) as Outgoing;
