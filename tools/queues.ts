/** The queues of a shop whose checkouts go by events, for the tools. */
import { ToolError } from "log-replay/cli";
import { queueRegion } from "../functions/settings/configuration.ts";
import type { ServiceName } from "../functions/settings/services.ts";
import { QueueFigures, type QueueDepth } from "../host/queues/queue-figures.ts";

export interface DeadLetter {
  readonly id: string;
  /** Hands it back to nobody for a while; names it when it is deleted. */
  readonly handle: string;
  readonly body: string;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  readonly receives: number;
}

/** Seconds that a dead letter is out of sight while it is looked at. */
const LOOK_SECONDS = 30;
/** Seconds that the server may look for one: only a queue without any in sight takes that long. */
const WAIT_SECONDS = 1;
/** As many as SQS gives at once. */
const MOST = 10;
/** As many as are shown. */
export const MOST_SHOWN = 100;

interface Message {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly Attributes: Readonly<Record<string, string>>;
}

/** What the message says, without its signature. */
export const textOf = ({ body }: DeadLetter): string => body.slice(body.indexOf("\n") + 1);

export class Queue {
  readonly figures: QueueFigures;
  readonly #title: string;

  /** @throws ToolError where it is not known where the queues are */
  constructor(service: ServiceName) {
    const settings = [`QUEUE_URL_${service.toUpperCase()}`, "SQS_ENDPOINT"];
    const given = settings.map((name) => [name, process.env[name]] as const).filter(([, value]) => value);
    this.#title = `the queue of ${service} (${given[0]?.[0] ?? "run/queues.url of the data folder"})`;
    try {
      const wrong = given.find(([, value = ""]) => !URL.canParse(value));
      if (wrong !== undefined) throw new ToolError(`${wrong.join("=")} is not an address`);
      this.figures = new QueueFigures(service);
    } catch (error) {
      const why = (error as Error).message;
      throw new ToolError(`${why}${/[.?!]$/.test(why) ? "" : "."} Only a shop with SAGA=events has queues.`, {
        cause: error,
      });
    }
  }

  /** How much is in it. @throws ToolError where the server does not answer, or refuses: with the setting that names it */
  async depth(): Promise<QueueDepth> {
    try {
      return await this.figures.depth();
    } catch (error) {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      throw new ToolError(`${this.#title}: ${message}${why}`, { cause: error });
    }
  }

  /**
   * When the oldest message that is not handled was sent, in milliseconds since 1970; null where there is none, undefined where
   * nobody tells. @throws ToolError where CloudWatch refuses, or does not answer
   */
  async oldest(): Promise<number | null | undefined> {
    const shown = await this.figures.oldest();
    if (shown !== undefined) return shown;
    // Loaded only here: the shop's own server tells by itself.
    const { oldestByMetric } = await import("./queue-age.ts");
    return oldestByMetric(this.figures.url, queueRegion());
  }

  /**
   * Dead letters that nobody looks at just now, each once; they are out of sight for a while.
   * @param most how many there may be, which the queue's depth says: a queue that has no more is asked no further
   */
  async deadLetters(most: number, visibility = LOOK_SECONDS): Promise<DeadLetter[]> {
    const letters = new Map<string, DeadLetter>();
    while (letters.size < most) {
      const received = await this.#receive(most - letters.size, visibility);
      const isOver = received.length === 0 || received.some(({ id }) => letters.has(id));
      for (const letter of received) letters.set(letter.id, letter);
      // One that is in sight again is followed by the others, without end.
      if (isOver) break;
    }
    return [...letters.values()];
  }

  /** They can be received again at once. One that is refused is in sight already, or soon by itself. */
  async putBack(letters: readonly DeadLetter[]): Promise<void> {
    for (let from = 0; from < letters.length; from += MOST) {
      const Entries = entriesOf(letters.slice(from, from + MOST), ({ handle }) => ({
        ReceiptHandle: handle,
        VisibilityTimeout: 0,
      }));
      await this.figures.client.call("ChangeMessageVisibilityBatch", { QueueUrl: this.figures.deadUrl, Entries });
    }
  }

  /**
   * Has dead letters handled once more, a batch at a time. They go back into the queue, and only then out of the other one:
   * handling one twice does no harm, losing it would.
   * @param most as many as there are at the start: those that die again meanwhile would be redriven without end
   * @returns how many @throws ToolError where the server refuses one
   */
  async redrive(most: number): Promise<number> {
    const { client, url, deadUrl } = this.figures;
    let sent = 0;
    while (sent < most) {
      const letters = await this.#receive(most - sent, LOOK_SECONDS);
      if (letters.length === 0) break;
      const messages = entriesOf(letters, ({ body }) => ({ MessageBody: body }));
      requireAll(await client.call("SendMessageBatch", { QueueUrl: url, Entries: messages }));
      const handles = entriesOf(letters, ({ handle }) => ({ ReceiptHandle: handle }));
      requireAll(await client.call("DeleteMessageBatch", { QueueUrl: deadUrl, Entries: handles }));
      sent += letters.length;
    }
    return sent;
  }

  close(): void {
    this.figures.close();
  }

  /** None only where all are out of sight: SQS asks all its servers where it may wait, and else some of them. */
  async #receive(most: number, visibility: number): Promise<readonly DeadLetter[]> {
    const { Messages = [] } = await this.figures.client.call<{ Messages?: readonly Message[] }>("ReceiveMessage", {
      QueueUrl: this.figures.deadUrl,
      MaxNumberOfMessages: Math.min(most, MOST),
      VisibilityTimeout: visibility,
      WaitTimeSeconds: WAIT_SECONDS,
      MessageSystemAttributeNames: ["All"],
    });
    return Messages.map(({ MessageId, ReceiptHandle, Body, Attributes }) => ({
      id: MessageId,
      handle: ReceiptHandle,
      body: Body,
      sentAt: Number(Attributes["SentTimestamp"]),
      receives: Number(Attributes["ApproximateReceiveCount"]),
    }));
  }
}

/** The entries of a request for a batch, with an id each. */
function entriesOf(letters: readonly DeadLetter[], entry: (letter: DeadLetter) => object): readonly object[] {
  return letters.map((letter, i) => ({ Id: String(i), ...entry(letter) }));
}

/** @throws ToolError where the server has refused one of a batch */
function requireAll({ Failed = [] }: { readonly Failed?: readonly { readonly Message?: string }[] }): void {
  if (Failed.length > 0) throw new ToolError(`the queue has refused ${Failed.length}: ${Failed[0]?.Message ?? ""}`);
}
