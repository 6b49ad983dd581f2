/** The queues of a shop whose checkouts go by events, for the tools. */
import { SqsClient } from "../functions/events/sqs-client.ts";
import { deadLetterQueueName, queuePlace } from "../functions/settings/configuration.ts";
import type { ServiceName } from "../functions/settings/services.ts";
import { ToolError } from "./exit.ts";

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

export class Queue {
  readonly #client: SqsClient;
  readonly #url: string;
  readonly #deadUrl: string;
  /** Whether it is the shop's own server on this machine, and none that is paid for each request. */
  readonly isLocal: boolean;

  /** @throws ToolError where it is not known where the queues are */
  constructor(service: ServiceName) {
    try {
      const { url, ...place } = queuePlace(service);
      this.#client = new SqsClient(place);
      this.#url = url;
      this.isLocal = /^(127\.|\[::1\]$|localhost$)/.test(new URL(url).hostname);
      this.#deadUrl = process.env[`QUEUE_URL_${service.toUpperCase()}`]
        ? `${url}-dead`
        : url.replace(/[^/]+$/, deadLetterQueueName(service));
    } catch (error) {
      throw new ToolError(`${(error as Error).message} Only a shop with SAGA=events has queues.`, { cause: error });
    }
  }

  /** @returns messages that wait, and messages that somebody works on */
  async depth(): Promise<{ waiting: number; inFlight: number; dead: number }> {
    const [own, dead] = await Promise.all([this.#attributes(this.#url), this.#attributes(this.#deadUrl)]);
    return {
      waiting: Number(own["ApproximateNumberOfMessages"]),
      inFlight: Number(own["ApproximateNumberOfMessagesNotVisible"]),
      dead: Number(dead["ApproximateNumberOfMessages"]) + Number(dead["ApproximateNumberOfMessagesNotVisible"]),
    };
  }

  /**
   * When the oldest message that waits was sent, in milliseconds since 1970; null where none does, undefined where the server
   * does not tell: SQS does by a metric only, the shop's own server by a page.
   */
  async oldest(): Promise<number | null | undefined> {
    const { origin, pathname } = new URL(this.#url);
    const name = pathname.split("/").at(-1) ?? "";
    const answer = await fetch(`${origin}/_fauxqs/queues/${name}`).catch(() => null);
    if (answer?.ok !== true) return undefined;
    const { messages } = (await answer.json()) as { messages: { ready: { sentTimestamp: number }[] } };
    const sent = messages.ready.map(({ sentTimestamp }) => sentTimestamp);
    return sent.length === 0 ? null : Math.min(...sent);
  }

  /** Dead letters that nobody looks at just now; they are out of sight for a while. */
  async deadLetters(visibility = LOOK_SECONDS): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for (;;) {
      const { Messages = [] } = await this.#client.call<{ Messages?: readonly Message[] }>("ReceiveMessage", {
        QueueUrl: this.#deadUrl,
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
      (Entries) => this.#client.call("ChangeMessageVisibilityBatch", { QueueUrl: this.#deadUrl, Entries }),
    );
  }

  /** They go back into the queue, and only then out of the other one: twice is no harm, never would be. */
  async redrive(letters: readonly DeadLetter[]): Promise<void> {
    await this.#inBatches(
      letters,
      ({ body }, Id) => ({ Id, MessageBody: body }),
      (Entries) => this.#client.call("SendMessageBatch", { QueueUrl: this.#url, Entries }),
    );
    await this.#inBatches(
      letters,
      ({ handle }, Id) => ({ Id, ReceiptHandle: handle }),
      (Entries) => this.#client.call("DeleteMessageBatch", { QueueUrl: this.#deadUrl, Entries }),
    );
  }

  close(): void {
    this.#client.close();
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

  async #attributes(QueueUrl: string): Promise<Record<string, string>> {
    const { Attributes } = await this.#client.call<{ Attributes: Record<string, string> }>("GetQueueAttributes", {
      QueueUrl,
      AttributeNames: ["All"],
    });
    return Attributes;
  }
}
