/** serverless-offline's runner interface: `new Runner(options, environment)`, `run(event, context)`, `cleanup()`. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";
import { offerDispatch } from "../../functions/calls/dispatch.ts";
import { observe } from "../observe/observe.ts";
import { readDescription } from "../gateway/description.ts";
import { Functions } from "../gateway/functions.ts";
import { importFrom, type Handler, type LoadHandler } from "../gateway/local-function.ts";

interface FunctionOptions {
  codeDir: string;
  /** `functions/stock/find.handler` */
  handler: string;
  /** Milliseconds. */
  timeout: number;
}

/** One import of each handler for the life of the process. First requests share it even while it is under way. */
const handlers = new Map<string, Promise<Handler>>();
let prepared: Promise<void> | undefined;

export default class InProcessRunner {
  readonly #handler: Promise<Handler>;
  readonly #timeout: number;

  constructor({ codeDir, handler, timeout }: FunctionOptions, environment: Record<string, string>) {
    prepared ??= prepare(codeDir, environment);
    this.#timeout = timeout;
    this.#handler = Promise.all([load(codeDir, handler), prepared]).then(([loaded]) => loaded);
    this.#handler.catch(() => undefined); // whoever runs it is told
  }

  async run(event: unknown, context: object): Promise<unknown> {
    const handler = await this.#handler;
    const end = performance.now() + this.#timeout;
    return handler(event, {
      ...context,
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(end - performance.now())),
    } as Context);
  }

  cleanup(): void {
    // Nothing to end: the handler lives as long as the process.
  }
}

function load(codeDir: string, handler: string): Promise<Handler> {
  let loading = handlers.get(handler);
  if (loading === undefined) {
    loading = importFrom(pathToFileURL(`${codeDir}/`).href, ".js")({ handler });
    handlers.set(handler, loading);
    loading.catch(() => handlers.delete(handler));
  }
  return loading;
}

/** The environment of serverless.yml is the same for every function. */
async function prepare(codeDir: string, environment: Record<string, string>): Promise<void> {
  Object.assign(process.env, environment);
  await observe();
  stopBundler();
  if (process.env["DISPATCH"] === "http") return;
  // All functions are in this process: those of one service reach those of another without HTTP.
  const description = await readDescription(join(import.meta.dirname, "..", ".."), "offline");
  const bundled: LoadHandler = ({ handler }) => load(codeDir, handler);
  offerDispatch(new Functions(description, bundled).dispatch);
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
