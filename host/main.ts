/**
 * Three Redis servers and the functions' host, supervised: `npm start` (serverless-offline) or `npm run serve` (Node's own
 * HTTP server). Its settings are in docs/configuration.md.
 *
 *   node host/main.ts [serve]
 */
import { resolve } from "node:path";
import { dataFolder } from "../functions/settings/configuration.ts";
import { readConfiguration } from "./configuration.ts";
import { HostedShop, type MakeFunctionHost } from "./hosted-shop.ts";
import { outputMayBeLost } from "./output.ts";
import { StartError } from "./start-error.ts";
import { onStopSignals } from "./stop-signals.ts";

const PARENT_CHECK_MS = 1_000;

let shop: HostedShop | undefined;
let stopping: Promise<void> | undefined;

function stop(exitCode: number): Promise<void> {
  return (stopping ??= (async () => {
    await shop?.stop();
    process.exit(exitCode);
  })());
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
  process.stderr.write(`error: ${said(error)}\n`);
  void stop(1);
}

/** What the system refuses (a full disk, a folder of somebody else's) is no bug: its one line says which file, and whose setting. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof StartError) return error.message;
  const { syscall, path = "" } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error.stack ?? error.message;
  return path.startsWith(`${resolve(dataFolder())}/`) ? `DATA_DIR: ${error.message}` : error.message;
}

async function main(): Promise<void> {
  outputMayBeLost();
  onStopSignals(
    () => void stop(0),
    () => shop?.hurry(),
  );
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
    const { url } = configuration;
    process.stdout.write(
      `ready: ${url}  try: curl -X POST ${url.includes("[") ? `-g ${url}` : url}/stock/item/create/5\n`,
    );
  } catch (error) {
    fail(error);
  }
}

if (import.meta.main) await main();
