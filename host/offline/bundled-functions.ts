/** The functions as serverless-esbuild has bundled them: one import of each for the life of the process. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { offerDispatch } from "../../functions/calls/dispatch.ts";
import { readDescription } from "../gateway/description.ts";
import { Functions } from "../gateway/functions.ts";
import { startPolling } from "../gateway/polling.ts";
import { importFrom, type Handler } from "../gateway/local-function.ts";

const handlers = new Map<string, Promise<Handler>>();
let opened: Promise<Functions> | undefined;

/** @param codeDir where the bundles are */
export function bundledFunctions(codeDir: string): Promise<Functions> {
  return (opened ??= open(codeDir));
}

/** First requests share the import even while it is under way. @param handler `functions/stock/find.handler` */
export function loadBundled(codeDir: string, handler: string): Promise<Handler> {
  let loading = handlers.get(handler);
  if (loading === undefined) {
    loading = importFrom(pathToFileURL(`${codeDir}/`).href, ".js")({ handler });
    handlers.set(handler, loading);
    loading.catch(() => handlers.delete(handler));
  }
  return loading;
}

async function open(codeDir: string): Promise<Functions> {
  stopBundler();
  const description = await readDescription(join(import.meta.dirname, "..", ".."), "offline");
  // The environment of serverless.yml is the same for every function.
  Object.assign(process.env, description.environment);
  const functions = new Functions(description, ({ handler }) => loadBundled(codeDir, handler));
  await functions.loadAll();
  if (process.env["DISPATCH"] !== "http") offerDispatch(functions.dispatch);
  // Until the process is ended: what it works on then comes again.
  await startPolling(functions, description);
  return functions;
}

/** The bundles are built, so esbuild's service process (45 MB) has nothing more to do. */
function stopBundler(): void {
  try {
    const plugin = createRequire(import.meta.url).resolve("serverless-esbuild");
    void (createRequire(plugin)("esbuild") as { stop(): Promise<void> }).stop();
  } catch {
    // Without it the process only stays.
  }
}
