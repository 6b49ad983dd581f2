/** How old the oldest message in a queue of AWS is: what the tools say, with the emulator's CloudWatch. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { AwsClient } from "aws4fetch";
import { SqsClient } from "../../../functions/events/sqs-client.ts";
import { oldestByMetric } from "../../../tools/queue-age.ts";

const REGION = "eu-central-1";
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const MINUTE = 60_000;

const endpoint = new URL(process.env["SHOP_DEPLOYED"] ?? "").origin;
const cloudWatch = new AwsClient({
  accessKeyId: "test",
  secretAccessKey: "test",
  service: "monitoring",
  region: REGION,
});
const sqs = new SqsClient({ endpoint, region: REGION });
let name: string;
let url: string;

beforeAll(() => void Object.assign(process.env, CREDENTIALS));
beforeEach(async () => {
  name = `age-${randomUUID()}`;
  ({ QueueUrl: url } = await sqs.call<{ QueueUrl: string }>("CreateQueue", { QueueName: name }));
});
afterAll(() => sqs.close());

/** As SQS itself does each minute. */
async function measured(age: number, at: number, queue = name): Promise<void> {
  const body = new URLSearchParams({
    Action: "PutMetricData",
    Version: "2010-08-01",
    Namespace: "AWS/SQS",
    "MetricData.member.1.MetricName": "ApproximateAgeOfOldestMessage",
    "MetricData.member.1.Dimensions.member.1.Name": "QueueName",
    "MetricData.member.1.Dimensions.member.1.Value": queue,
    "MetricData.member.1.Timestamp": new Date(at).toISOString(),
    "MetricData.member.1.Value": String(age),
    "MetricData.member.1.Unit": "Seconds",
  });
  const answer = await cloudWatch.fetch(`${endpoint}/`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: body.toString(),
  });
  expect(answer.status).toBe(200);
}

const minute = (at: number): number => Math.floor(at / MINUTE) * MINUTE;

test("the newest point of the queue's own metric counts", async () => {
  const now = Date.now();
  await measured(700, now - 5 * MINUTE);
  await measured(90, now - 2 * MINUTE);
  await measured(5_000, now - MINUTE, `${name}-dead`);
  expect(await oldestByMetric(url, REGION)).toBe(minute(now - 2 * MINUTE) - 90_000);
});

test("a queue in which no message waits has none that is the oldest", async () => {
  await measured(700, Date.now() - 5 * MINUTE);
  await measured(0, Date.now() - 2 * MINUTE);
  expect(await oldestByMetric(url, REGION)).toBeNull();
});

test("where nothing was measured lately, or nobody may ask, it is not known", async () => {
  await measured(700, Date.now() - 60 * MINUTE);
  expect(await oldestByMetric(url, REGION)).toBeUndefined();
  await measured(700, Date.now() - 5 * MINUTE);
  expect(await oldestByMetric(url, REGION, {})).toBeUndefined();
});

test("a CloudWatch that does not answer is told in one line, with what is the matter", async () => {
  await expect(oldestByMetric("http://127.0.0.1:1/000000000000/shop-order", REGION)).rejects.toThrow(
    /^how old the oldest message is: CloudWatch: .*(bad port|ECONNREFUSED)/,
  );
});
