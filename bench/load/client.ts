/**
 * A process of its own that sends what it is asked to send: the load must not share an event loop with what it
 * measures.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "undici";
import type { LoadJob, LoadResult } from "./job.ts";

process.on("message", (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`load client: ${String(error)}\n`);
      process.exit(1);
    },
  );
});

async function run(job: LoadJob): Promise<LoadResult> {
  const { paths, connections, rate } = job;
  const clients = Array.from({ length: connections }, () => new Client(job.url, { pipelining: 1 }));
  const statuses = new Array<number>(paths.length).fill(0);
  const latencies = new Array<number>(paths.length).fill(0);
  const bodies = job.bodies ? new Array<string>(paths.length).fill("") : [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  let next = 0;

  const work = async (client: Client): Promise<void> => {
    for (let i = next++; i < paths.length; i = next++) {
      let due = performance.now();
      if (rate !== undefined) {
        due = started + (i * 1_000) / rate;
        const early = due - performance.now();
        if (early > 0) await sleep(early);
      }
      const answer = await send(client, job, i);
      latencies[i] = performance.now() - due;
      statuses[i] = answer.status;
      if (job.bodies) bodies[i] = answer.body;
    }
  };
  await Promise.all(clients.map(work));
  const elapsed = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  for (const client of clients) void client.destroy();
  return { seconds: elapsed / 1_000, statuses, latencies, bodies, clientLoad: (user + system) / 1_000 / elapsed };
}

/** undici's lowest level: no stream for each body. */
function send(
  client: Client,
  { method, paths, bodies }: LoadJob,
  i: number,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    let status = 0;
    let body = "";
    client.dispatch(
      { method, path: paths[i] ?? "", headersTimeout: 60_000, bodyTimeout: 60_000 },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => void (status = statusCode),
        onResponseData: (_controller, chunk) => {
          if (bodies) body += chunk.toString();
        },
        onResponseEnd: () => resolve({ status, body }),
        onResponseError: () => resolve({ status: 0, body: "" }),
      },
    );
  });
}
