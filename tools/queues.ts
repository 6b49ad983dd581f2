/** The queues of a shop whose checkouts go by events, for the tools. */
import { ToolError } from "log-replay/cli";
import { queueRegion } from "../functions/settings/configuration.ts";
import type { ServiceName } from "../functions/settings/services.ts";
import { QueueFigures } from "../host/queues/queue-figures.ts";

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
/** As many as SQS gives at once. */
const MOST = 10;

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

  /** @throws ToolError where it is not known where the queues are */
  constructor(service: ServiceName) {
    try {
      this.figures = new QueueFigures(service);
    } catch (error) {
      throw new ToolError(`${(error as Error).message} Only a shop with SAGA=events has queues.`, { cause: error });
    }
  }

  /**
   * When the oldest message that is not handled was sent, in milliseconds since 1970; null where there is none, undefined where
   * nobody tells. @throws ToolError where CloudWatch refuses to
   */
  async oldest(): Promise<number | null | undefined> {
    const shown = await this.figures.oldest();
    if (shown !== undefined) return shown;
    // Loaded only here: the shop's own server tells by itself.
    const { oldestByMetric } = await import("./queue-age.ts");
    return oldestByMetric(this.figures.url, queueRegion());
  }

  /** Dead letters that nobody looks at just now; they are out of sight for a while. */
  async deadLetters(visibility = LOOK_SECONDS): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for (;;) {
      const { Messages = [] } = await this.figures.client.call<{ Messages?: readonly Message[] }>("ReceiveMessage", {
        QueueUrl: this.figures.deadUrl,
        MaxNumberOfMessages: MOST,
        VisibilityTimeout: visibility,
        MessageSystemAttributeNames: ["All"],
      });
      if (Messages.length === 0) return letters;
      letters.push(
        ...Messages.map(({ MessageId, ReceiptHandle, Body, Attributes }) => ({
          id: MessageId,
          handle: ReceiptHandle,
          body: Body,
          sentAt: Number(Attributes["SentTimestamp"]),
          receives: Number(Attributes["ApproximateReceiveCount"]),
        })),
      );
    }
  }

  /** They can be received again at once. */
  async putBack(letters: readonly DeadLetter[]): Promise<void> {
    await this.#inBatches(
      letters,
      ({ handle }, Id) => ({ Id, ReceiptHandle: handle, VisibilityTimeout: 0 }),
      (Entries) =>
        this.figures.client.call("ChangeMessageVisibilityBatch", { QueueUrl: this.figures.deadUrl, Entries }),
    );
  }

  /** They go back into the queue, and only then out of the other one: handling one twice does no harm, losing it would. */
  async redrive(letters: readonly DeadLetter[]): Promise<void> {
    await this.#inBatches(
      letters,
      ({ body }, Id) => ({ Id, MessageBody: body }),
      (Entries) => this.figures.client.call("SendMessageBatch", { QueueUrl: this.figures.url, Entries }),
    );
    await this.#inBatches(
      letters,
      ({ handle }, Id) => ({ Id, ReceiptHandle: handle }),
      (Entries) => this.figures.client.call("DeleteMessageBatch", { QueueUrl: this.figures.deadUrl, Entries }),
    );
  }

  close(): void {
    this.figures.close();
  }

  /** @throws ToolError where the server refuses one of them */
  async #inBatches<E>(
    letters: readonly DeadLetter[],
    entry: (letter: DeadLetter, id: string) => E,
    call: (entries: readonly E[]) => Promise<unknown>,
  ): Promise<void> {
    for (let from = 0; from < letters.length; from += MOST) {
      const entries = letters.slice(from, from + MOST).map((letter, i) => entry(letter, String(i)));
      const { Failed = [] } = (await call(entries)) as { Failed?: readonly { readonly Message?: string }[] };
      if (Failed.length > 0) throw new ToolError(`the queue has refused ${Failed.length}: ${Failed[0]?.Message ?? ""}`);
    }
  }
}
