/** The process that serves the functions under `npm run serve`. Its settings come checked from the supervisor. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { offerDispatch } from "../../functions/calls/dispatch.ts";
import { services } from "../../functions/services.ts";
import { numberOf, textOrDefault } from "../../functions/settings/settings.ts";
import { openState } from "../../functions/state/open-state.ts";
import { readDescriptionApart } from "../gateway/description-apart.ts";
import { Functions } from "../gateway/functions.ts";
import { importFrom } from "../gateway/local-function.ts";
import { startPolling } from "../gateway/polling.ts";
import { gatewayServer } from "../http/gateway-server.ts";
import type { FunctionServer } from "../http/server.ts";
import { observe } from "../observe/observe.ts";
import { outputMayBeLost } from "../output.ts";
import type { HostMessage, InvokeRequest } from "./messages.ts";
import { startSchedules } from "./schedules.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Milliseconds: longer than a request works; the supervisor waits a little longer. */
const DRAIN_PATIENCE = 11_000;
/** Milliseconds for what nobody waits for, as a scheduled function whose Redis hangs: its next run goes on with it. */
const LAST_PATIENCE = 2_000;

async function main(): Promise<void> {
  outputMayBeLost();
  const description = await readDescriptionApart(ROOT, "offline");
  // It is a plain object from here on: Node's own asks the system for each variable, and functions look at a dozen for
  // each request.
  process.env = { ...process.env, ...description.environment };
  const functions = new Functions(description, importFrom(pathToFileURL(`${ROOT}/`).href, ".ts"));
  await observe();
  await functions.loadAll();
  if (process.env["DISPATCH"] !== "http") offerDispatch(functions.dispatch);

  const server = gatewayServer(functions);
  await server.listen(numberOf(process.env, "HTTP_PORT"), textOrDefault(process.env, "HTTP_HOST"));

  const invoke = (name: string): Promise<unknown> =>
    functions.invoke(name, {
      id: randomUUID(),
      source: "aws.events",
      "detail-type": "Scheduled Event",
      time: new Date().toISOString(),
    });
  const endSchedules = startSchedules(description.functions, invoke);

  process.on("message", ({ id, invoke: name }: InvokeRequest) => {
    invoke(name).then(
      (result) => tell({ id, result: result ?? null }),
      (error: unknown) => tell({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  const endPolling = await startPolling(functions, description);
  let stopping: Promise<void> | undefined;
  process.on("SIGTERM", () => void (stopping ??= stop(server, endSchedules, endPolling)));
  tell({ serving: true });
}

/** Takes no new work, answers what is under way, appends to the log what was executed, and then ends the process. */
async function stop(server: FunctionServer, endSchedules: () => void, endPolling: () => Promise<void>): Promise<void> {
  endSchedules();
  await server.drain(DRAIN_PATIENCE);
  await endPolling();
  await (await observe()).end().catch(() => undefined);
  const closed = services.map(async (service) => (await openState(service)).close({ drain: true }));
  await Promise.race([Promise.allSettled(closed), sleep(LAST_PATIENCE)]);
  process.exit(0);
}

/** A supervisor that was killed cannot be told; the host goes on. */
function tell(message: HostMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

if (import.meta.main) await main();
