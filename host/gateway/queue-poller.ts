/** What Lambda's event source mapping does for a function: takes messages out of a queue, and invokes the function with them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { Batcher } from "../../functions/events/batcher.ts";
import { SqsClient } from "../../functions/events/sqs-client.ts";
import { queueAddress, type QueueAddress } from "../../functions/settings/configuration.ts";
import type { ServiceName } from "../../functions/settings/services.ts";
import type { FunctionDescription, QueueDescription } from "./description.ts";

/** Invocations of one function at the same time. */
const CONCURRENCY = 16;
/** Seconds that a request for messages waits for some. */
const WAIT_SECONDS = 20;
/** Milliseconds: longer than that. */
const RECEIVE_TIMEOUT = 25_000;
/** Milliseconds before the queue is asked again after it has not answered, at first and at most. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

interface Received {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes?: Readonly<Record<string, string>>;
}

/** @throws what the function throws: the whole batch comes again */
export type InvokeWithMessages = (event: SQSEvent) => Promise<SQSBatchResponse | undefined>;

/**
 * Begins to poll the queues of all functions that have one.
 * @returns a function that stops it, and resolves once every message that was taken is handled
 */
export function pollQueues(
  functions: readonly Pick<FunctionDescription, "name" | "queues">[],
  invoke: (name: string, event: SQSEvent) => Promise<unknown>,
): () => Promise<void> {
  const pollers = functions.flatMap(({ name, queues = [] }) =>
    queues.map(
      (queue) => new QueuePoller(queue, async (event) => (await invoke(name, event)) as SQSBatchResponse | undefined),
    ),
  );
  return async () => {
    await Promise.all(pollers.map((poller) => poller.stop()));
  };
}

class QueuePoller {
  readonly #address: QueueAddress;
  readonly #arn: string;
  readonly #batchSize: number;
  readonly #partialFailures: boolean;
  readonly #invoke: InvokeWithMessages;
  readonly #client: SqsClient;
  readonly #deletions: Batcher<string>;
  readonly #stopping = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  readonly #polling: Promise<void>;

  constructor({ service, batchSize, partialFailures }: QueueDescription, invoke: InvokeWithMessages) {
    this.#address = queueAddress(service as ServiceName);
    const { url, region } = this.#address;
    this.#arn = `arn:aws:sqs:${region}:${url.split("/").slice(-2).join(":")}`;
    this.#batchSize = batchSize;
    this.#partialFailures = partialFailures;
    this.#invoke = invoke;
    this.#client = new SqsClient(this.#address);
    this.#deletions = new Batcher((handles) => this.#delete(handles));
    this.#polling = this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#polling;
    await Promise.all(this.#batches);
    this.#client.close();
  }

  async #poll(): Promise<void> {
    for (let pause = FIRST_PAUSE; !this.#stopping.signal.aborted;) {
      try {
        const messages = await this.#receive();
        pause = FIRST_PAUSE;
        if (messages.length === 0) continue;
        const batch = this.#handle(messages).finally(() => this.#batches.delete(batch));
        this.#batches.add(batch);
        if (this.#batches.size >= CONCURRENCY) await Promise.race(this.#batches);
      } catch {
        // The server is gone or on its way back, or has lost the queue. The supervisor tells of that, and sees to it.
        await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
  }

  async #receive(): Promise<readonly Received[]> {
    const { Messages = [] } = await this.#client.call<{ Messages?: readonly Received[] }>(
      "ReceiveMessage",
      {
        QueueUrl: this.#address.url,
        MaxNumberOfMessages: this.#batchSize,
        WaitTimeSeconds: WAIT_SECONDS,
        MessageSystemAttributeNames: ["All"],
      },
      { timeout: RECEIVE_TIMEOUT, signal: this.#stopping.signal },
    );
    return Messages;
  }

  /** Never rejects: what is not deleted comes again. */
  async #handle(messages: readonly Received[]): Promise<void> {
    const response = await this.#invoke({ Records: messages.map((message) => this.#record(message)) }).catch(
      () => null,
    );
    if (response === null) return;
    const failed = new Set(
      this.#partialFailures ? response?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) : [],
    );
    const handled = messages.filter(({ MessageId }) => !failed.has(MessageId));
    await Promise.allSettled(handled.map(({ ReceiptHandle }) => this.#deletions.add(ReceiptHandle)));
  }

  async #delete(handles: readonly string[]): Promise<readonly (Error | null)[]> {
    const Entries = handles.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }));
    await this.#client.call("DeleteMessageBatch", { QueueUrl: this.#address.url, Entries });
    return [];
  }

  #record({ MessageId, ReceiptHandle, Body, MD5OfBody, Attributes = {} }: Received): SQSRecord {
    return {
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: Attributes as unknown as SQSRecord["attributes"],
      messageAttributes: {},
      md5OfBody: MD5OfBody,
      eventSource: "aws:sqs",
      eventSourceARN: this.#arn,
      awsRegion: this.#address.region,
    };
  }
}
