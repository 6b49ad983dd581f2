/**
 * A process that hosts all functions, without a framework that takes seconds to start: each request goes straight to its
 * handler, and the scheduled functions run again and again.
 *
 * HTTP_PORT: where it listens on loopback. REPEAT_STEPS=1: each request between the services is executed twice.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { lambdaContext, proxyEvent } from "../../../functions/test/support/invocation.ts";
import { handlerOf, match, ROUTES } from "../../../functions/test/support/routes.ts";
import { SIGNATURE_HEADER } from "../../../functions/calls/signature.ts";
import { sagaMode } from "../../../functions/settings/configuration.ts";
import { SERVICES } from "../../../functions/settings/services.ts";

/** Milliseconds that an invocation may take. The connection of one that takes longer breaks. */
const INVOCATION = 4_000;
/** The scheduled functions, and the milliseconds between two runs of each. */
const SCHEDULE = {
  "stock/maintain": 1_000,
  "payment/maintain": 1_000,
  "order/maintain": 1_000,
  "order/resume-sagas": 250,
};

const repeats = process.env["REPEAT_STEPS"] === "1";

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const [method, path] = [request.method ?? "", request.url ?? ""];
  const found = match(method, path);
  if (found === null) return void response.writeHead(404).end();
  const { route, pathParameters } = found;
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const event = proxyEvent({
    method,
    path,
    resource: route.resource,
    pathParameters,
    headers,
    body: Buffer.concat(chunks).toString("utf8") || null,
  });
  const handler = await handlerOf(route);
  const execute = () => handler(event, lambdaContext(route.module.replace("/", "-"), INVOCATION));
  const overdue = setTimeout(() => response.destroy(), INVOCATION);
  try {
    if (repeats && SIGNATURE_HEADER in headers) await execute();
    const { statusCode, headers: sent, body } = await execute();
    if (!response.destroyed) response.writeHead(statusCode, sent as Record<string, string>).end(body);
  } finally {
    clearTimeout(overdue);
  }
}

async function schedule(task: string, pause: number): Promise<void> {
  const { handler } = (await import(`../../../functions/${task}.ts`)) as {
    handler: (event: unknown, context: unknown) => Promise<unknown>;
  };
  for (;;) {
    // Its failure is in the request log.
    await handler({ source: "aws.events" }, lambdaContext(task.replace("/", "-"), INVOCATION)).catch(() => undefined);
    await sleep(pause);
  }
}

/** What an event source mapping does, for each service. */
async function poll(): Promise<void> {
  const { pollQueues } = await import("../../../host/gateway/queue-poller.ts");
  const queues = SERVICES.map((service) => ({
    name: service,
    queues: [{ service, batchSize: 10, partialFailures: true }],
  }));
  pollQueues(queues, async (service, event) => {
    const { handler } = (await import(`../../../functions/${service}/on-events.ts`)) as {
      handler: (event: unknown, context: unknown) => Promise<unknown>;
    };
    const execute = () => handler(event, lambdaContext(`${service}-on-events`, INVOCATION));
    if (repeats) await execute();
    return execute();
  });
}

await Promise.all(ROUTES.map(handlerOf));
const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
server.listen(Number(process.env["HTTP_PORT"]), "127.0.0.1", () => {
  process.send?.({ serving: true });
  for (const [task, pause] of Object.entries(SCHEDULE)) void schedule(task, pause);
  if (sagaMode() === "events") void poll();
});
process.on("disconnect", () => process.exit());
