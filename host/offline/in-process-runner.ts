/** serverless-offline's runner interface: `new Runner(options, environment)`, `run(event, context)`, `cleanup()`. */
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

type Handler = (event: unknown, context: object) => unknown;

interface FunctionOptions {
  codeDir: string;
  /** `functions/stock/find.handler` */
  handler: string;
  /** Milliseconds. */
  timeout: number;
}

/** One import a handler for the life of the process; also while it is under way, so that first requests share it. */
const handlers = new Map<string, Promise<Handler>>();
let prepared = false;

export default class InProcessRunner {
  readonly #handler: Promise<Handler>;
  readonly #timeout: number;

  constructor({ codeDir, handler, timeout }: FunctionOptions, environment: Record<string, string>) {
    prepareOnce(environment);
    this.#timeout = timeout;
    const path = resolve(codeDir, handler);
    let loading = handlers.get(path);
    if (!loading) {
      loading = load(path);
      handlers.set(path, loading);
      loading.catch(() => handlers.delete(path));
    }
    this.#handler = loading;
  }

  async run(event: unknown, context: object): Promise<unknown> {
    const handler = await this.#handler;
    const end = performance.now() + this.#timeout;
    return handler(event, { ...context, getRemainingTimeInMillis: () => Math.max(0, Math.floor(end - performance.now())) });
  }

  cleanup(): void {
    // Nothing to end: the handler lives as long as the process.
  }
}

async function load(path: string): Promise<Handler> {
  const dot = path.lastIndexOf(".");
  const module = (await import(pathToFileURL(`${path.slice(0, dot)}.js`).href)) as Record<string, unknown>;
  const handler = module[path.slice(dot + 1)];
  if (typeof handler !== "function") throw new Error(`${path} is not a function`);
  return handler as Handler;
}

/** The environment of serverless.yml is the same for every function. */
function prepareOnce(environment: Record<string, string>): void {
  if (prepared) return;
  prepared = true;
  Object.assign(process.env, environment);
  stopBundler();
}

/** The bundles are built: esbuild's service process, 45 MB, has nothing more to do. */
function stopBundler(): void {
  try {
    const plugin = createRequire(import.meta.url).resolve("serverless-esbuild");
    void (createRequire(plugin)("esbuild") as { stop(): Promise<void> }).stop();
  } catch {
    // Without it the process only stays.
  }
}
