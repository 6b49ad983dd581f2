/** The process that serves the functions under `npm run serve`. Its settings come checked from the supervisor. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { offerDispatch } from "../../functions/calls/dispatch.ts";
import { services } from "../../functions/services.ts";
import { openState } from "../../functions/state/open-state.ts";
import { mount } from "../console/mount.ts";
import { readDescriptionApart } from "../gateway/description-apart.ts";
import { Functions } from "../gateway/functions.ts";
import { importFrom } from "../gateway/local-function.ts";
import { observe } from "../observe/observe.ts";
import type { HostMessage, Invoke } from "./messages.ts";
import { startSchedules } from "./schedules.ts";
import { FunctionServer } from "./server.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Milliseconds: longer than a request works; the supervisor waits a little longer. */
const DRAIN_PATIENCE = 11_000;
/** Milliseconds that a service has to say that it is ready. */
const PROBE_PATIENCE = 1_000;

const setting = (name: string): number => Number(process.env[name]);

async function main(): Promise<void> {
  const description = await readDescriptionApart(ROOT, "offline");
  // It is a plain object from here on: Node's own asks the system for each variable, and functions look at a dozen for
  // each request.
  process.env = { ...process.env, ...description.environment };
  const functions = new Functions(description, importFrom(pathToFileURL(`${ROOT}/`).href, ".ts"));
  await observe();
  await functions.loadAll();
  if (process.env["DISPATCH"] !== "http") offerDispatch(functions.dispatch);

  const admission = {
    concurrency: setting("MAX_CONCURRENCY"),
    queue: setting("MAX_QUEUE"),
    patience: setting("QUEUE_TIMEOUT_MS"),
  };
  const mounted = mount({
    hostUrl: `http://127.0.0.1:${setting("HTTP_PORT")}`,
    resume: () => functions.invoke("order-resume-sagas", {}),
    figures: () => server.figures,
  });
  const server: FunctionServer = new FunctionServer({ functions, admission, probe, mounted });
  await server.listen(setting("HTTP_PORT"), process.env["HTTP_HOST"] ?? "127.0.0.1");

  const invoke = (name: string): Promise<unknown> =>
    functions.invoke(name, {
      id: randomUUID(),
      source: "aws.events",
      "detail-type": "Scheduled Event",
      time: new Date().toISOString(),
    });
  const endSchedules = startSchedules(description.functions, invoke);

  process.on("message", ({ id, invoke: name }: Invoke) => {
    invoke(name).then(
      () => tell({ id, error: null }),
      (error: unknown) => tell({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.once("SIGTERM", () => void stop(server, endSchedules));
  tell({ serving: true });
}

/** Asks this service's state by a read, behind the same checks as any other. */
async function probe(): Promise<Record<string, string | null>> {
  const states = services.map(async (service) => {
    try {
      await (await openState(service)).occ.read(["ready"], { timeout: PROBE_PATIENCE });
      return [service.name, null] as const;
    } catch (error) {
      return [service.name, error instanceof Error ? error.message : String(error)] as const;
    }
  });
  return Object.fromEntries(await Promise.all(states));
}

/** Takes no new work, answers what is under way, appends to the log what was executed, and then ends the process. */
async function stop(server: FunctionServer, endSchedules: () => void): Promise<void> {
  endSchedules();
  await server.drain(DRAIN_PATIENCE);
  await (await observe()).end().catch(() => undefined);
  await Promise.allSettled(services.map(async (service) => (await openState(service)).close()));
  process.exit(0);
}

/** A supervisor that was killed cannot be told; the host goes on. */
function tell(message: HostMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

if (import.meta.main) await main();
