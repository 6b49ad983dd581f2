import { setTimeout as sleep } from "node:timers/promises";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { LogError } from "log-replay";
import { OccError } from "redis-occ";
import type * as v from "valibot";
import { Refusal, ShopError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { parse } from "../http/parameters.ts";
import type { StepWork } from "../handler/steps.ts";
import { remaining } from "../deadline.ts";
import { timeLeft } from "../handler/time-left.ts";
import { withState } from "../handler/with-state.ts";
import { traced, type Work } from "../observe/channels.ts";
import { sendingTraces } from "../observe/traces.ts";
import { traceIdOf } from "../observe/trace-context.ts";
import { describe, log } from "../request-log.ts";
import type { Service } from "../state/open-state.ts";
import type { About, Outgoing } from "./messages.ts";
import { retryLater, type FailedMessage } from "./retry-later.ts";
import { verifyMessage } from "./signed-message.ts";
import { sendEvents } from "./sender.ts";

/** Milliseconds: how long a batch is worked on at most, and what it leaves of the invocation's own time for the answer. */
const PATIENCE = 8_000;
const RESERVE = 1_000;
/** Milliseconds in which a message is tried again by the same invocation, and the pauses between. */
const TRIES_WITHIN = 2_000;
const FIRST_PAUSE = 25;
const LONGEST_PAUSE = 400;

/** What the handler of a message works with. */
export interface MessageWork extends StepWork {
  /** What the request log shall say besides the usual. */
  readonly notes: Record<string, unknown>;
}

/** Does what a message asks for; doing it again changes nothing. @returns what has to be told to whom now that it is durable */
export type HandleMessage<M> = (message: M, work: MessageWork) => Promise<readonly Outgoing[]>;

type Message = About & { readonly type: string };

/** The messages of one queue. */
interface Inbound<M> {
  readonly service: Service;
  readonly schema: v.GenericSchema<unknown, M>;
  readonly handle: HandleMessage<M>;
}

/**
 * The queue of a service as a Lambda handler: a batch of messages in, those that have to come again out.
 *
 * All messages of a batch are begun at once, so that their transactions share a group commit. A message counts as handled
 * when its effect is durable and what follows from it is sent: whoever is stopped anywhere before that gets it again.
 */
export function consumer<M extends Message>(
  service: Service,
  schema: v.GenericSchema<unknown, M>,
  handle: HandleMessage<M>,
): (event: SQSEvent, context: Context) => Promise<SQSBatchResponse> {
  return sendingTraces(async ({ Records: records }, context) => {
    context.callbackWaitsForEmptyEventLoop = false;
    const now = Date.now();
    const deadline = now + timeLeft(context, PATIENCE, RESERVE);
    const handled = await Promise.all(
      records.map((record) => handleRecord({ service, schema, handle }, record, { now, deadline, context })),
    );
    await failPoint("event.answer.before");
    const failures = handled.filter((outcome) => outcome !== null);
    await retryLater(service.name, failures, RESERVE);
    return { batchItemFailures: failures.map(({ record }) => ({ itemIdentifier: record.messageId })) };
  });
}

/** Never rejects: one message's trouble is not that of the others. */
async function handleRecord<M extends Message>(
  { service, schema, handle }: Inbound<M>,
  record: SQSRecord,
  { now, deadline, context }: Pick<MessageWork, "now" | "deadline"> & { readonly context: Context },
): Promise<FailedMessage | null> {
  const started = performance.now();
  const sent = Number(record.attributes.SentTimestamp);
  // How long it was in the queue, by the clocks of two machines; milliseconds.
  const notes: Record<string, unknown> = sent > 0 ? { waited: Math.max(0, now - sent) } : {};
  const write = (level: "info" | "error"): void =>
    log(level, "event", {
      service: service.name,
      messageId: record.messageId,
      ms: Math.round((performance.now() - started) * 10) / 10,
      ...notes,
    });
  try {
    const message = parse(schema, parseJson(await verifyMessage(service.name, record.body)));
    const { type, saga, traceparent } = message;
    const trace = traceIdOf(traceparent);
    Object.assign(notes, { type, saga }, trace === null ? {} : { trace });
    await traced(processing(service, message, record), () =>
      whileItPasses(Math.min(deadline, now + TRIES_WITHIN), () =>
        withState(service, context, RESERVE, async (state) => {
          await state.ready({ timeout: remaining(deadline) });
          const following = await handle(message, { state, now, deadline, notes });
          await sendEvents(service.name, following, deadline);
        }),
      ),
    );
    write("info");
    return null;
  } catch (error) {
    notes["error"] = describe(error, !(error instanceof ShopError));
    notes["receives"] = Number(record.attributes.ApproximateReceiveCount);
    write("error");
    return { record, hopeless: error instanceof Refusal };
  }
}

/** It goes on with the trace of whoever has sent the message. */
function processing({ name }: Service, { type, saga, traceparent }: Message, { messageId }: SQSRecord): Work {
  return {
    name: `process ${type}`,
    kind: "consumer",
    attributes: {
      "messaging.system": "aws_sqs",
      "messaging.message.id": messageId,
      "shop.service": name,
      "shop.saga": saga,
    },
    trace: traceparent ?? "",
    remote: traceparent !== undefined,
  };
}

/** @throws Refusal invalid_body */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("invalid_body", "a message must be JSON");
  }
}

/** Does it again after what passes by itself: a Redis that comes back within a second is no reason to wait for the queue. */
async function whileItPasses(until: number, work: () => Promise<void>): Promise<void> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || Date.now() + pause >= until) throw error;
    }
    await sleep(pause * (0.5 + Math.random() / 2));
  }
}

/** An unknown outcome as well: what was done is not done twice. */
function isPassing(error: unknown): boolean {
  return error instanceof OccError || (error instanceof LogError && error.retryable);
}
