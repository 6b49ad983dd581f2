import { setTimeout as sleep } from "node:timers/promises";
import { processWide } from "log-replay/process-wide";
import { within } from "../calls/within.ts";
import { UnavailableError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { traced, type Work } from "../observe/channels.ts";
import { strictTraceparent } from "../observe/trace-context.ts";
import { queueAddress, type QueueAddress } from "../settings/configuration.ts";
import type { ServiceName } from "../settings/services.ts";
import { Batcher } from "./batcher.ts";
import type { Outgoing } from "./messages.ts";
import { signMessage } from "./signed-message.ts";
import { SqsClient } from "./sqs-client.ts";
import { remaining } from "../deadline.ts";

/** Attempts at one request, and the milliseconds of the pause after the first; it doubles each time. */
const ATTEMPTS = 4;
const PAUSE = 50;

/**
 * Puts messages into the queues of those whom they are for. It may be done twice, and later ones may come first.
 * @param from who sends them
 * @param deadline by when it is known, or given up; milliseconds since 1970
 * @throws UnavailableError where one of them may not be in its queue
 */
export async function sendEvents(from: ServiceName, events: readonly Outgoing[], deadline: number): Promise<void> {
  if (events.length === 0) return;
  await failPoint("event.send.before");
  await Promise.all(
    events.map((event) =>
      traced(sending(from, event), async ({ trace }) => {
        const [batcher, body] = await Promise.all([batcherTo(event.to), signMessage(withTrace(event, trace))]);
        await within(batcher.add(body), remaining(deadline), tooLate);
      }),
    ),
  );
  await failPoint("event.send.after");
}

function tooLate(): never {
  throw new UnavailableError("service_unavailable", "the queue has not answered in time");
}

/** Sending belongs to the work of which it is a part, and whoever gets the message goes on with its trace. */
function sending(from: ServiceName, { to, message }: Outgoing): Work {
  return {
    name: `send ${message.type}`,
    kind: "producer",
    attributes: {
      "messaging.system": "aws_sqs",
      "messaging.destination.name": to,
      "shop.service": from,
      "shop.saga": message.saga,
    },
    trace: strictTraceparent(message.traceparent),
    remote: false,
  };
}

function withTrace(event: Outgoing, trace: string): Outgoing {
  return { ...event, message: { ...event.message, traceparent: trace || undefined } } as Outgoing;
}

/** One for the process, however many functions are in it: what they send at the same time goes together. */
function batcherTo(service: ServiceName): Promise<Batcher<string>> {
  return processWide(`shop:events:${service}`, async () => {
    const address = queueAddress(service);
    const client = new SqsClient(address);
    return new Batcher<string>(
      (bodies) => sendBatch(client, address, bodies),
      (body) => Buffer.byteLength(body),
    );
  });
}

interface SendResult {
  readonly Failed?: readonly { readonly Id: string; readonly Code: string; readonly Message?: string }[];
}

async function sendBatch(
  client: SqsClient,
  { url }: QueueAddress,
  bodies: readonly string[],
): Promise<readonly (Error | null)[]> {
  const Entries = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody }));
  const { Failed = [] } = await persistently(() =>
    client.call<SendResult>("SendMessageBatch", { QueueUrl: url, Entries }),
  );
  const errors = new Map(Failed.map(({ Id, Code, Message = "" }) => [Id, `${Code} ${Message}`]));
  return bodies.map((_, i) => {
    const error = errors.get(String(i));
    return error === undefined ? null : new UnavailableError("service_unavailable", `a message was not sent: ${error}`);
  });
}

async function persistently<T>(request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await sleep((0.5 + Math.random() / 2) * PAUSE * 2 ** (attempt - 1));
  }
}
