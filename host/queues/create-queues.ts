import {
  saysNoQueue,
  SqsClient,
  type SqsCallOptions,
  type SqsClientOptions,
} from "../../functions/events/sqs-client.ts";
import { deadLettersOf, queueName } from "../../functions/settings/configuration.ts";
import { SERVICES } from "../../functions/settings/services.ts";

/** Seconds: longer than an invocation takes, so that nobody else gets what one works on. A function has those that failed come sooner. */
const VISIBILITY_SECONDS = 60;
/** How often a message is tried: by the pauses between, for more than five minutes. */
export const MOST_RECEIVES = 12;
/** Seconds, as long as SQS keeps anything: 14 days. */
const KEPT_SECONDS = 1_209_600;

/**
 * Makes each service's queue and the one for what cannot be handled, unless they are there.
 * @throws UnavailableError where the server does not answer, or has such a queue with other attributes
 */
export async function createQueues(place: SqsClientOptions, options: SqsCallOptions = {}): Promise<void> {
  const client = new SqsClient(place);
  const create = (QueueName: string, Attributes: Record<string, string>): Promise<{ QueueUrl: string }> =>
    client.call("CreateQueue", { QueueName, Attributes }, options);
  try {
    await Promise.all(
      SERVICES.map(async (service) => {
        const dead = await create(deadLettersOf(queueName(service)), { MessageRetentionPeriod: String(KEPT_SECONDS) });
        const { Attributes } = await client.call<{ Attributes: { QueueArn: string } }>(
          "GetQueueAttributes",
          {
            QueueUrl: dead.QueueUrl,
            AttributeNames: ["QueueArn"],
          },
          options,
        );
        await create(queueName(service), {
          VisibilityTimeout: String(VISIBILITY_SECONDS),
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: Attributes.QueueArn,
            maxReceiveCount: MOST_RECEIVES,
          }),
        });
      }),
    );
  } finally {
    client.close();
  }
}

/** Whether all of them are there. @throws UnavailableError where the server does not answer */
export async function hasQueues(client: SqsClient, signal: AbortSignal): Promise<boolean> {
  const names = SERVICES.map(queueName).flatMap((name) => [name, deadLettersOf(name)]);
  try {
    await Promise.all(names.map((QueueName) => client.call("GetQueueUrl", { QueueName }, { signal })));
    return true;
  } catch (error) {
    if (error instanceof Error && saysNoQueue(error)) return false;
    throw error;
  }
}
