/**
 * Three Redis servers and the functions' host, supervised: `npm start` (serverless-offline) or `npm run serve` (Node's own
 * HTTP server). Its settings are in docs/configuration.md.
 *
 *   node host/main.ts [serve]
 */
import { readConfiguration } from "./configuration.ts";
import { HostedShop, type MakeFunctionHost } from "./hosted-shop.ts";
import { StartError } from "./start-error.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const PARENT_CHECK_MS = 1_000;

let shop: HostedShop | undefined;
let stopping: Promise<void> | undefined;

async function stop(exitCode: number): Promise<void> {
  if (stopping) {
    shop?.hurry(); // asked twice: no more patience
    return stopping;
  }
  stopping = (async () => {
    await shop?.stop();
    process.exit(exitCode);
  })();
  return stopping;
}

/**
 * Only the one that is needed is imported: the other would stay in this process's memory for as long as the shop runs.
 */
async function functionHost(kind: string | undefined): Promise<MakeFunctionHost> {
  return kind === "serve"
    ? (await import("./serve/serve-host.ts")).serveHost
    : (await import("./offline/offline-host.ts")).offlineHost;
}

function fail(error: unknown): void {
  if (stopping) return; // what was under way was cut short by the stop
  const text =
    error instanceof StartError
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
  process.stderr.write(`error: ${text}\n`);
  void stop(1);
}

async function main(): Promise<void> {
  for (const signal of STOP_SIGNALS) process.on(signal, () => void stop(0));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("exit", () => shop?.killNow());

  // npm passes SIGINT and SIGTERM on, but an npm that is killed takes nobody with it.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === "start" || process.env.npm_lifecycle_event === "serve")
    setInterval(() => void (process.ppid !== parent && stop(0)), PARENT_CHECK_MS).unref();

  try {
    const configuration = readConfiguration(process.env);
    shop = new HostedShop(configuration, await functionHost(process.argv[2]));
    await shop.start();
    const address = `http://127.0.0.1:${configuration.httpPort}`;
    process.stdout.write(`ready: ${address}  try: curl -X POST ${address}/stock/item/create/5\n`);
  } catch (error) {
    fail(error);
  }
}

if (import.meta.main) await main();
