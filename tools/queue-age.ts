/** How long a queue's oldest message waits, as AWS tells it: by a metric of CloudWatch, and by nothing in SQS itself. */
import { AwsClient } from "aws4fetch";
import { ToolError } from "log-replay/cli";

/** Milliseconds: the metric has a point for each minute, some minutes late. */
const LOOK_BACK = 15 * 60_000;
/** Seconds that one point stands for. */
const PERIOD = 60;
/** Milliseconds. */
const TIMEOUT = 3_000;

interface Point {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Seconds; 0 where no message waited. */
  readonly age: number;
}

/**
 * When the oldest message that is not handled was sent, to about a minute.
 * @param queueUrl as SQS names it; an emulator has CloudWatch at the same origin
 * @returns milliseconds since 1970; null where no message waits, undefined where there are no credentials or no point yet
 * @throws ToolError where CloudWatch refuses, or does not answer
 */
export async function oldestByMetric(
  queueUrl: string,
  region: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<number | null | undefined> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (!accessKeyId || !secretAccessKey) return undefined;
  const { origin, pathname } = new URL(queueUrl);
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(token ? { sessionToken: token } : {}),
    service: "monitoring",
    region,
    retries: 0,
  });
  const newest = pointsIn(
    await answerOf(client, {
      url: `${origin.replace(/^https:\/\/sqs\.(?=.*\.amazonaws\.com)/, "https://monitoring.")}/`,
      body: question(pathname.split("/").at(-1) ?? "", Date.now()),
    }),
  ).reduce<Point | undefined>(
    (latest, point) => (latest !== undefined && latest.at > point.at ? latest : point),
    undefined,
  );
  if (newest === undefined) return undefined;
  return newest.age === 0 ? null : newest.at - newest.age * 1_000;
}

function question(queue: string, now: number): string {
  return new URLSearchParams({
    Action: "GetMetricStatistics",
    Version: "2010-08-01",
    Namespace: "AWS/SQS",
    MetricName: "ApproximateAgeOfOldestMessage",
    "Dimensions.member.1.Name": "QueueName",
    "Dimensions.member.1.Value": queue,
    StartTime: new Date(now - LOOK_BACK).toISOString(),
    EndTime: new Date(now).toISOString(),
    Period: String(PERIOD),
    "Statistics.member.1": "Maximum",
  }).toString();
}

async function answerOf(client: AwsClient, { url, body }: { url: string; body: string }): Promise<string> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  try {
    const answer = await client.fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(/<Message>([^<]*)/.exec(text)?.[1] ?? `status ${answer.status}`);
    return text;
  } catch (error) {
    const { message } = ((error as Error).cause ?? error) as Error;
    throw new ToolError(`how old the oldest message is: CloudWatch: ${message}`, { cause: error });
  }
}

function pointsIn(xml: string): Point[] {
  return [...xml.matchAll(/<member>([^]*?)<\/member>/g)].map(([, point = ""]) => ({
    at: Date.parse(/<Timestamp>([^<]*)/.exec(point)?.[1] ?? ""),
    age: Number(/<Maximum>([^<]*)/.exec(point)?.[1]),
  }));
}
