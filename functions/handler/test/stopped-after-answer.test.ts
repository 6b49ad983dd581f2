/** On Lambda, where a process is stopped once it has answered; the log is in files, as on EFS. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { FAIL_POINT_HOOK } from "redis-occ/fail-points";
import { door } from "../../../layers/log-replay/test/support/tampered-store.ts";
import { signMessage } from "../../events/signed-message.ts";
import { lambdaContext } from "../../test/support/invocation.ts";
import { recordOf } from "../../test/support/queues.ts";
import { Shop } from "../../test/support/shop.ts";

/** Milliseconds for each invocation: far more than it waits for a restore. */
const TIME = 60_000;
/** Milliseconds after which each of them has given up, where nothing keeps its answer back: a message is tried for two seconds. */
const GIVEN_UP = 4_000;

let shop: Shop;
beforeAll(async () => {
  process.env["AWS_LAMBDA_FUNCTION_NAME"] = "shop-offline-stock";
  shop = await Shop.openWithQueues();
});
afterAll(async () => {
  delete process.env["AWS_LAMBDA_FUNCTION_NAME"];
  await shop.close();
});

/** Stock's queue hands over a message. @returns how many messages have to come again */
async function handleMessage(): Promise<number> {
  const { handler } = (await import("../../stock/on-events.ts")) as unknown as {
    handler: (event: SQSEvent, context: unknown) => Promise<SQSBatchResponse>;
  };
  const message = { type: "release", saga: "s1", startedAt: Date.now(), order: "1" } as const;
  const record = recordOf({ Body: await signMessage({ to: "stock", message }) });
  return (await handler({ Records: [record] }, lambdaContext("stock-on-events", TIME))).batchItemFailures.length;
}

const INVOCATIONS: Readonly<Record<string, () => Promise<unknown>>> = {
  request: async () => (await shop.get("/stock/find/1", { time: TIME })).code,
  health: async () => (await shop.get("/stock/health", { time: TIME })).status,
  task: () => shop.run("stock/maintain", TIME).catch((error: unknown) => (error as { code: string }).code),
  message: handleMessage,
};

test("where processes are stopped after their answer, a request, a task, a batch of messages and a look at its health are answered only once the restore that their process makes has ended", async () => {
  await shop.ready();
  // All are loaded, so that all begin at once.
  for (const invoke of Object.values(INVOCATIONS)) await invoke();
  const stop = door();
  const hook = (name: string): Promise<void> => (name === "guard.before" ? stop.reach() : Promise.resolve());
  Object.assign(globalThis, { [FAIL_POINT_HOOK]: hook });
  try {
    await shop.client("stock").flushall();
    const ended: string[] = [];
    const answers = Object.entries(INVOCATIONS).map(async ([name, invoke]) => {
      const answer = await invoke();
      ended.push(name);
      return [name, answer];
    });
    await stop.reached;
    await sleep(GIVEN_UP);
    expect(ended).toEqual([]);
    stop.open();
    expect(Object.fromEntries(await Promise.all(answers))).toEqual({
      request: "restoring",
      health: 503,
      task: "restoring",
      message: 1,
    });
    expect(await shop.client("stock").exists("log:guard")).toBe(1);
  } finally {
    stop.open();
    Object.assign(globalThis, { [FAIL_POINT_HOOK]: undefined });
  }
});
