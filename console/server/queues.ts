/** The queues of a shop whose checkouts go by events: what waits in them, and what could not be handled. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "../../functions/settings/services.ts";
import { MOST_SHOWN, Queue, textOf, type DeadLetter } from "../../tools/queues.ts";
import type { Action } from "./action.ts";

export interface QueueNow {
  readonly service: string;
  readonly waiting: number;
  /** Messages that somebody works on. */
  readonly inFlight: number;
  /** When the oldest that waits was sent; milliseconds since 1970. Null where none waits, or where the server does not tell. */
  readonly oldest: number | null;
  /** Messages that could not be handled. */
  readonly dead: number;
}

/** What a look may take of the time: a look at SQS is paid for, and the local server lists all that waits. */
const SHARE = 0.05;
/** Milliseconds between two looks at the queues of this machine, and at those in AWS. */
const PAUSE = 900;
const PAUSE_FAR = 15_000;
/** Seconds that dead letters are out of everybody else's sight while they are looked at. */
const LOOK_SECONDS = 5;

export class Queues {
  readonly #queues: readonly (readonly [service: string, queue: Queue])[];
  readonly #pause: number;
  #now: readonly QueueNow[] = [];
  #next = 0;

  /**
   * The queues that the settings name, or that the host has written down.
   * @param runFolder of the data folder; null where the logs are elsewhere
   * @returns null where checkouts go by calls: then there are none
   */
  static open(runFolder: string | null): Queues | null {
    const isLocal = runFolder !== null && existsSync(join(runFolder, "queues.url"));
    if (!isLocal && !process.env["QUEUE_URL_ORDER"]) return null;
    return new Queues(SERVICES.map((service) => [service, new Queue(service)] as const));
  }

  private constructor(queues: readonly (readonly [string, Queue])[]) {
    this.#queues = queues;
    this.#pause = queues.every(([, { figures }]) => figures.isLocal) ? PAUSE : PAUSE_FAR;
  }

  /** The queues as they were at the last look. One that did not answer then is not among them. */
  get now(): readonly QueueNow[] {
    return this.#now;
  }

  /** Looks again, where the last look is a while ago. Never rejects. */
  async look(): Promise<void> {
    const started = Date.now();
    if (started < this.#next) return;
    this.#next = Infinity;
    const found = await Promise.all(this.#queues.map(([service, queue]) => lookAt(service, queue)));
    this.#now = found.filter((one) => one !== null);
    this.#next = Math.max(started + this.#pause, Date.now() + (Date.now() - started) / SHARE);
  }

  /** The first ones. @returns null where there is no such queue */
  async deadLetters(service: string): Promise<object[] | null> {
    const queue = this.#queueOf(service);
    if (queue === null) return null;
    const { dead } = await queue.figures.depth();
    const letters = await queue.deadLetters(Math.min(dead, MOST_SHOWN), LOOK_SECONDS);
    await queue.putBack(letters);
    return letters.map(described);
  }

  /** Has the dead letters of a service handled once more. @returns how many @throws Error where there is no such queue */
  async redrive(service: string): Promise<number> {
    const queue = this.#queueOf(service);
    if (queue === null) throw new Error(`there is no queue of "${service}"`);
    const { dead } = await queue.figures.depth();
    const sent = await queue.redrive(dead);
    this.#next = 0;
    return sent;
  }

  close(): void {
    for (const [, queue] of this.#queues) queue.close();
  }

  #queueOf(wanted: string): Queue | null {
    return this.#queues.find(([service]) => service === wanted)?.[1] ?? null;
  }
}

/** "Redrive", where there are queues. */
export function redriveOf(queues: Queues | null): Record<string, Action> {
  if (queues === null) return {};
  const run = async (service: string): Promise<string> => {
    const sent = await queues.redrive(service);
    return `${sent} ${sent === 1 ? "message was" : "messages were"} sent to ${service} again`;
  };
  return { redrive: { title: "Redrive", run } };
}

async function lookAt(service: string, queue: Queue): Promise<QueueNow | null> {
  try {
    const [depth, oldest] = await Promise.all([queue.figures.depth(), queue.oldest().catch(() => undefined)]);
    return { service, ...depth, oldest: oldest ?? null };
  } catch {
    return null;
  }
}

function described(letter: DeadLetter): object {
  const { id, sentAt, receives } = letter;
  return { id, sentAt, receives, text: textOf(letter) };
}
