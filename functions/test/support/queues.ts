import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { buildApp } from "fauxqs";
import { createQueues } from "../../../host/queues/create-queues.ts";
import { INBOX } from "../../events/messages.ts";
import { signMessage } from "../../events/signed-message.ts";
import { SqsClient } from "../../events/sqs-client.ts";
import { deadLettersOf, queueAddress } from "../../settings/configuration.ts";
import { SERVICES, type ServiceName } from "../../settings/services.ts";
import { lambdaContext } from "./invocation.ts";

export const EVENTS = SERVICES.flatMap((service) =>
  INBOX[service].options.map((option) => option.entries.type.literal as string),
);

/**
 * "handled": it is deleted; "failed": it comes again when the function wants it; "again": at once; "lost": it is deleted,
 * though nothing was done.
 */
export type Fate = "handled" | "failed" | "again" | "lost";

/** Stands between the queue and the function: may deliver the message any number of times, and says what becomes of it. */
export type MessageFault = (deliver: () => Promise<Fate>) => Promise<Fate>;

export interface Delivery {
  readonly to: ServiceName;
  readonly type: string;
  readonly saga: string;
  readonly body: string;
}

interface Message {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly Attributes: SQSRecord["attributes"];
}

type Server = Awaited<ReturnType<typeof buildApp>>;
type Consumer = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/**
 * A real queue server, and what Lambda does between it and the real consumers, message by message, so that a test can put a
 * fault in the way of each.
 */
export class TestQueues {
  /** Every message is delivered twice, one after the other. */
  repeat = false;
  /** What was delivered, in order. */
  readonly deliveries: Delivery[] = [];
  readonly #faults = new Map<string, MessageFault[]>();
  readonly #always = new Map<string, MessageFault>();
  readonly #loose = new Set<Promise<void>>();
  readonly #gates = new Set<() => void>();
  readonly #stopping = new AbortController();
  #server: Server;
  #polling: Promise<unknown> = Promise.resolve();
  #recover: () => Promise<void> = async () => undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<TestQueues> {
    const queues = new TestQueues(await listen(0));
    process.env["SQS_ENDPOINT"] = `http://127.0.0.1:${queues.#port}`;
    await queues.#create();
    queues.#polling = Promise.all(SERVICES.map((service) => queues.#poll(service)));
    return queues;
  }

  get #port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  async #create(): Promise<void> {
    await createQueues({ endpoint: `http://127.0.0.1:${this.#port}`, region: "us-east-1" });
  }

  /** The server dies with all that it holds, and another one is there in its place after so many milliseconds. */
  async loseAll(absent = 0): Promise<void> {
    const port = this.#port;
    await this.#server.close();
    await sleep(absent);
    this.#server = await listen(port);
    await this.#create();
  }

  /** The server takes every connection and answers nothing, until what this returns is called: another one is there then, empty. */
  async hang(): Promise<() => Promise<void>> {
    const port = this.#port;
    await this.#server.close();
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => sockets.add(socket.on("error", () => undefined))).listen(port, "127.0.0.1");
    await once(mute, "listening");
    return (this.#recover = async () => {
      const closed = once(mute, "close");
      mute.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      this.#server = await listen(port);
      await this.#create();
      this.#recover = async () => undefined;
    });
  }

  /** For the next messages of this type. */
  next(type: string, fault: MessageFault, times = 1): void {
    this.#faults.set(type, [...(this.#faults.get(type) ?? []), ...Array.from({ length: times }, () => fault)]);
  }

  always(type: string, fault: MessageFault): void {
    this.#always.set(type, fault);
  }

  /** Holds messages back until it is opened, or all is healed. */
  gate(): { readonly fault: MessageFault; readonly reached: Promise<void>; readonly open: () => void } {
    const [arrived, opened] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const open = (): void => opened.resolve(undefined);
    this.#gates.add(open);
    return {
      reached: arrived.promise,
      open,
      fault: async (deliver) => {
        arrived.resolve(undefined);
        await opened.promise;
        return deliver();
      },
    };
  }

  heal(): void {
    for (const open of this.#gates) open();
    this.#gates.clear();
    this.#faults.clear();
    this.#always.clear();
  }

  count(type: string): number {
    return this.deliveries.filter((delivery) => delivery.type === type).length;
  }

  /** Puts a message in as one of the services would; with `body` anything at all. */
  async send(to: ServiceName, message: object, body?: string): Promise<void> {
    const text = body ?? (await signMessage({ to, message } as unknown as Parameters<typeof signMessage>[0]));
    await this.#client(to).call("SendMessageBatch", {
      QueueUrl: queueAddress(to).url,
      Entries: [{ Id: "0", MessageBody: text }],
    });
  }

  /** Waits until nothing is in a queue or on its way. */
  async quiet(): Promise<void> {
    for (let still = 0; still < 3;) {
      const depths = await Promise.all(SERVICES.map((service) => this.depth(service)));
      still = this.#loose.size === 0 && depths.every((depth) => depth === 0) ? still + 1 : 0;
      await sleep(10);
    }
  }

  async depth(service: ServiceName, dead = false): Promise<number> {
    const { url } = queueAddress(service);
    const { Attributes } = await this.#client(service).call<{ Attributes: Record<string, string> }>(
      "GetQueueAttributes",
      { QueueUrl: dead ? deadLettersOf(url) : url, AttributeNames: ["All"] },
    );
    return (
      Number(Attributes["ApproximateNumberOfMessages"]) + Number(Attributes["ApproximateNumberOfMessagesNotVisible"])
    );
  }

  async close(): Promise<void> {
    this.heal();
    this.#stopping.abort();
    await this.#polling;
    await Promise.all(this.#loose);
    await this.#recover();
    await this.#server.close();
  }

  readonly #clients = new Map<string, SqsClient>();

  #client(service: ServiceName): SqsClient {
    const address = queueAddress(service);
    const client = this.#clients.get(address.endpoint) ?? new SqsClient(address);
    this.#clients.set(address.endpoint, client);
    return client;
  }

  async #poll(service: ServiceName): Promise<void> {
    const { handler } = (await import(`../../${service}/on-events.ts`)) as { handler: Consumer };
    while (!this.#stopping.signal.aborted) {
      const { Messages = [] } = await this.#client(service)
        .call<{ Messages?: readonly Message[] }>(
          "ReceiveMessage",
          {
            QueueUrl: queueAddress(service).url,
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: 1,
            MessageSystemAttributeNames: ["All"],
          },
          { signal: this.#stopping.signal },
        )
        .catch(async () => (await sleep(20), { Messages: [] }));
      for (const message of Messages) {
        const work = this.#handle(service, handler, message).finally(() => this.#loose.delete(work));
        this.#loose.add(work);
      }
    }
  }

  async #handle(service: ServiceName, handler: Consumer, message: Message): Promise<void> {
    const { type = "none", saga = "none" } = parsed(message.Body);
    this.deliveries.push({ to: service, type, saga, body: message.Body });
    const invoked = async (): Promise<Fate> => {
      const { batchItemFailures } = await handler(
        { Records: [recordOf(message)] },
        lambdaContext(`${service}-on-events`, 10_000),
      );
      return batchItemFailures.length === 0 ? "handled" : "failed";
    };
    const deliver = this.repeat ? () => invoked().then(invoked) : invoked;
    const fault = this.#faults.get(type)?.shift() ?? this.#always.get(type);
    const fate = await (fault ? fault(deliver) : deliver());
    if (fate === "failed") return;
    const entry = { Id: "0", ReceiptHandle: message.ReceiptHandle };
    const QueueUrl = queueAddress(service).url;
    const client = this.#client(service);
    await (
      fate === "again"
        ? client.call("ChangeMessageVisibilityBatch", { QueueUrl, Entries: [{ ...entry, VisibilityTimeout: 0 }] })
        : client.call("DeleteMessageBatch", { QueueUrl, Entries: [entry] })
    ).catch(() => undefined);
  }
}

/** A message as Lambda hands it to a function. */
export function recordOf({ MessageId = randomUUID() as string, ReceiptHandle = "", Body = "", ...rest }): SQSRecord {
  const { Attributes = { ApproximateReceiveCount: "1" } } = rest as { Attributes?: object };
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes as SQSRecord["attributes"],
    messageAttributes: {},
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:test",
    awsRegion: "us-east-1",
  };
}

async function listen(port: number): Promise<Server> {
  const server = buildApp({ logger: false });
  await server.listen({ port, host: "127.0.0.1" });
  return server;
}

function parsed(body: string): { readonly type?: string; readonly saga?: string } {
  try {
    return JSON.parse(body.slice(body.indexOf("\n") + 1)) as { readonly type?: string; readonly saga?: string };
  } catch {
    return {};
  }
}

/** The function fails, or is stopped, before it has begun. */
export const failsBefore: MessageFault = async () => "again";
/** All was done, and the queue was not told. */
export const failsAfter: MessageFault = async (deliver) => (await deliver(), "again");
/** A queue forgets it. */
export const lost: MessageFault = async () => "lost";
export const twiceAtOnce: MessageFault = async (deliver) => {
  const [fate] = await Promise.all([deliver(), deliver()]);
  return fate;
};
/** @param ms milliseconds: what was sent later comes first */
export const late =
  (ms: number): MessageFault =>
  async (deliver) => (await sleep(ms), deliver());
