/**
 * The shop's queues on a server that is given, and may hold them in memory only. Nobody here starts it again, so the start that
 * made the queues asks whether they are still there, for its further hosts too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SqsClient, type SqsClientOptions } from "../../functions/events/sqs-client.ts";
import type { Diagnostics } from "../diagnostics.ts";
import { StartError } from "../start-error.ts";
import { createQueues, hasQueues } from "./create-queues.ts";

/** Milliseconds between two looks. */
const PAUSE = 1_000;

export class GivenQueues {
  readonly #place: SqsClientOptions;
  readonly #diagnostics: Diagnostics;
  readonly #onReadyAgain: () => void;
  readonly #stopping = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  /** @param onReadyAgain told when queues that were lost are there again, empty */
  constructor(place: SqsClientOptions, diagnostics: Diagnostics, onReadyAgain: () => void) {
    this.#place = place;
    this.#diagnostics = diagnostics;
    this.#onReadyAgain = onReadyAgain;
  }

  /** Makes those that are missing, from now on as well. @throws StartError */
  async start(): Promise<void> {
    await createQueues(this.#place).catch((error: unknown) => {
      throw new StartError(`SQS_ENDPOINT: ${describe(error)}`);
    });
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const client = new SqsClient(this.#place);
    const { signal } = this.#stopping;
    for (let answers = true; !this.#isStopping();) {
      try {
        if (!(await hasQueues(client, signal))) await this.#makeAgain();
        answers = true;
      } catch (error) {
        if (answers && !this.#isStopping()) this.#diagnostics.warn(`waiting: SQS_ENDPOINT: ${describe(error)}`);
        answers = false;
      }
      await sleep(PAUSE, undefined, { signal }).catch(() => undefined);
    }
    client.close();
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #makeAgain(): Promise<void> {
    await createQueues(this.#place, { signal: this.#stopping.signal });
    this.#diagnostics.warn("SQS_ENDPOINT: the server has lost the queues: they were made again");
    this.#onReadyAgain();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
