/** Dead letters by the hundred: what the tools show of them, and having them handled once more. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { AddressInfo } from "node:net";
import { buildApp } from "fauxqs";
import { SqsClient } from "../../functions/events/sqs-client.ts";
import { createQueues } from "../../host/queues/create-queues.ts";
import { Queue } from "../queues.ts";
import { shoplog } from "./support.ts";

const MANY = 300;
const BODIES = Array.from({ length: MANY }, (_, i) => `signature\n{"saga":"s${i}"}`);
const PATIENCE = 60_000;

let server: ReturnType<typeof buildApp>;
let endpoint: string;
let client: SqsClient;
let queue: Queue;

beforeEach(async () => {
  server = buildApp({ logger: false });
  await server.listen({ port: 0, host: "127.0.0.1" });
  endpoint = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  await createQueues({ endpoint, region: "us-east-1" });
  process.env["SQS_ENDPOINT"] = endpoint;
  client = new SqsClient({ endpoint, region: "us-east-1" });
  queue = new Queue("stock");
  await send(queue.figures.deadUrl, BODIES);
});
afterEach(async () => {
  delete process.env["SQS_ENDPOINT"];
  queue.close();
  client.close();
  await server.close();
});

async function send(QueueUrl: string, bodies: readonly string[]): Promise<void> {
  for (let from = 0; from < bodies.length; from += 10) {
    const Entries = bodies.slice(from, from + 10).map((MessageBody, i) => ({ Id: String(i), MessageBody }));
    await client.call("SendMessageBatch", { QueueUrl, Entries });
  }
}

interface Message {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

/** Takes up to ten messages out of a queue. */
async function take(QueueUrl: string): Promise<readonly string[]> {
  const { Messages = [] } = await client.call<{ Messages?: readonly Message[] }>("ReceiveMessage", {
    QueueUrl,
    MaxNumberOfMessages: 10,
  });
  const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
  if (Entries.length > 0) await client.call("DeleteMessageBatch", { QueueUrl, Entries });
  return Messages.map(({ Body }) => Body);
}

async function takeAll(QueueUrl: string): Promise<string[]> {
  const bodies: string[] = [];
  for (let some = await take(QueueUrl); some.length > 0; some = await take(QueueUrl)) bodies.push(...some);
  return bodies;
}

const isEachOnce = (bodies: readonly string[]): void => expect([...bodies].sort()).toEqual([...BODIES].sort());

test(
  "a look has each of them once, and has them in sight again",
  async () => {
    const letters = await queue.deadLetters(MANY + 1);
    isEachOnce(letters.map(({ body }) => body));
    expect(await queue.deadLetters(1)).toEqual([]);
    await queue.putBack(letters);
    expect(await queue.deadLetters(25)).toHaveLength(25);
  },
  PATIENCE,
);

test(
  "a look ends where they are in sight again before all have been seen, and has none twice",
  async () => {
    const letters = await queue.deadLetters(10 * MANY, 0);
    expect(letters.length).toBeGreaterThan(0);
    expect(new Set(letters.map(({ id }) => id)).size).toBe(letters.length);
    // Nothing is amiss where there is nothing to put back any more.
    await queue.putBack(letters);
    expect(await queue.figures.depth()).toMatchObject({ dead: MANY });
  },
  PATIENCE,
);

test(
  "`queues` shows the first ones, and how many there are",
  async () => {
    const { code, lines } = await shoplog("none", ["queues"], { SQS_ENDPOINT: endpoint });
    const howMany = lines.filter((line) => /300 dead letters|and 200 more/.test(line));
    expect([code, howMany.length, lines.filter((line) => line.includes('"saga"')).length]).toEqual([0, 2, 100]);
    const json = await shoplog("none", ["queues", "--json"], { SQS_ENDPOINT: endpoint });
    const stock = json.lines.map((line) => JSON.parse(line) as { service: string; dead: number; deadLetters: [] })[1];
    expect(stock).toMatchObject({ service: "stock", dead: MANY });
    expect(stock?.deadLetters).toHaveLength(100);
  },
  PATIENCE,
);

test(
  "`redrive` shows the first ones and how many there are, and sends each of them once",
  async () => {
    const { code, lines } = await shoplog("none", ["redrive", "stock", "--yes"], { SQS_ENDPOINT: endpoint });
    expect([code, lines.length, ...lines.slice(-2)]).toEqual([
      0,
      102,
      "and 200 more",
      "stock: 300 messages sent again",
    ]);
    isEachOnce(await takeAll(queue.figures.url));
    expect(await queue.figures.depth()).toEqual({ waiting: 0, inFlight: 0, dead: 0 });
  },
  PATIENCE,
);

test(
  "a redrive ends where they die again meanwhile",
  async () => {
    const over = new AbortController();
    const dying = (async () => {
      while (!over.signal.aborted) await send(queue.figures.deadUrl, await take(queue.figures.url));
    })();
    try {
      expect(await queue.redrive(MANY)).toBe(MANY);
    } finally {
      over.abort();
      await dying;
    }
    isEachOnce([...(await takeAll(queue.figures.url)), ...(await takeAll(queue.figures.deadUrl))]);
  },
  PATIENCE,
);

test(
  "where there is none, a redrive sends none",
  async () => {
    await takeAll(queue.figures.deadUrl);
    const { code, lines } = await shoplog("none", ["redrive", "stock"], { SQS_ENDPOINT: endpoint });
    expect([code, lines]).toEqual([0, ["stock: 0 messages sent again"]]);
  },
  PATIENCE,
);
