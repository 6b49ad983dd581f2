import type { SQSRecord } from "aws-lambda";
import { processWide } from "log-replay/process-wide";
import { describe, log } from "../request-log.ts";
import { queueAddress } from "../settings/configuration.ts";
import type { ServiceName } from "../settings/services.ts";
import { SqsClient } from "./sqs-client.ts";

/** A message that has to come again. */
export interface FailedMessage {
  readonly record: SQSRecord;
  /** It will never be any better: it is no message of this shop's. */
  readonly hopeless: boolean;
}

/** Seconds until a message comes again: doubled each time, up to the longest. */
const LONGEST_PAUSE = 60;

/**
 * Has messages come again sooner than after the visibility timeout, which has to be longer than any invocation takes.
 * Never rejects: without it they only come later.
 * @param timeout milliseconds that the queue has for its answer
 */
export async function retryLater(
  service: ServiceName,
  failures: readonly FailedMessage[],
  timeout: number,
): Promise<void> {
  if (failures.length === 0) return;
  try {
    const { url: QueueUrl, ...address } = queueAddress(service);
    const client = await processWide(`shop:queue:${service}`, async () => new SqsClient(address));
    const Entries = failures.map(({ record, hopeless }, i) => ({
      Id: String(i),
      ReceiptHandle: record.receiptHandle,
      // What will never be handled shall be out of the way, and be seen, soon.
      VisibilityTimeout: hopeless ? 0 : pauseAfter(Number(record.attributes.ApproximateReceiveCount)),
    }));
    await client.call("ChangeMessageVisibilityBatch", { QueueUrl, Entries }, { timeout });
  } catch (error) {
    log("warn", "event", { service, error: describe(error, false) });
  }
}

/** @param receives how often it was received, this time included */
function pauseAfter(receives: number): number {
  return Math.min(LONGEST_PAUSE, 2 ** Math.max(0, receives - 1));
}
