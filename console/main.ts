/**
 * The console of a host, in a process of its own: an index of a million records must not make customers wait. The host
 * starts it at the first request and hands requests on to it (host/console/). It ends with the host, and when nobody has
 * looked for a while.
 */
import { createServer } from "node:http";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { dataFolder } from "../functions/settings/configuration.ts";
import type { Action } from "./server/action.ts";
import { readToken } from "./server/access.ts";
import { answerError } from "./server/answer.ts";
import { Console } from "./server/console.ts";
import { localFaults } from "./server/faults/local-faults.ts";
import { openSource, tokenFile } from "./server/source.ts";
import { Queues, redriveOf } from "./server/queues.ts";
import { ShopProbe } from "./server/shop-probe.ts";
import { ShopView } from "./server/shop-view.ts";

/** What the host is told, and says. */
export type ToHost = { readonly port: number; readonly secret: string } | { readonly resume: number };
export interface FromHost {
  readonly resumed: number;
  readonly said: string;
}

/** Milliseconds without a request, and without a viewer, after which this process ends. */
const IDLE = 10 * 60_000;
const IDLE_CHECK = 30_000;

async function main(): Promise<void> {
  process.once("disconnect", () => process.exit(0));
  const hostUrl = process.env["CONSOLE_HOST_URL"] ?? null;
  const source = await openSource();
  const queues = Queues.open(source.runFolder);
  const view = new ShopView(source, new ShopProbe(hostUrl), queues);
  const actions: Record<string, Action> = { resume: { title: "Resume now", run: resume }, ...redriveOf(queues) };
  if (process.env["CONSOLE_FAULTS"] === "1") Object.assign(actions, localFaults(dataFolder(), view.happenings));
  const made = new Console({ view, token: readToken(process.env["CONSOLE_TOKEN"], tokenFile(source)), actions });

  // Any program of this machine can reach the port: only the one that knows the secret may say for whom it asks.
  const secret = randomBytes(24).toString("base64url");
  let asked = Date.now();
  const server = createServer((request, response) => {
    asked = Date.now();
    const { "x-console-secret": given, "x-console-address": address, ...headers } = request.headers;
    if (given !== secret) return answerError(response, 403, "forbidden", "this port is for the shop's host");
    request.headers = headers;
    void made.handle(request, response, String(address));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  view.start();
  setInterval(() => {
    if (made.viewers === 0 && Date.now() - asked > IDLE) process.exit(0);
  }, IDLE_CHECK);
  tell({ port: (server.address() as AddressInfo).port, secret });
}

const waiting = new Map<number, (said: string) => void>();
let resumes = 0;

/** The host runs the function that the schedule runs. */
async function resume(): Promise<string> {
  const id = ++resumes;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    tell({ resume: id });
  });
}

process.on("message", ({ resumed, said }: FromHost) => {
  waiting.get(resumed)?.(said);
  waiting.delete(resumed);
});

function tell(message: ToHost): void {
  process.send?.(message);
}

await main();
