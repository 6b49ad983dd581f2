/** serverless-offline's runner interface: `new Runner(options, environment)`, `run(event, context)`, `cleanup()`. */
import type { Context } from "aws-lambda";
import { bundledFunctions, loadBundled } from "./bundled-functions.ts";

interface FunctionOptions {
  codeDir: string;
  /** `functions/stock/find.handler` */
  handler: string;
  /** Milliseconds. */
  timeout: number;
}

export default class InProcessRunner {
  readonly #options: FunctionOptions;

  /** Takes no environment: by the function's name in it, this process would be one that is stopped after its answer. */
  constructor(options: FunctionOptions) {
    this.#options = options;
  }

  async run(event: unknown, context: object): Promise<unknown> {
    const { codeDir, handler: name, timeout } = this.#options;
    await bundledFunctions(codeDir);
    const handler = await loadBundled(codeDir, name);
    const end = performance.now() + timeout;
    const getRemainingTimeInMillis = (): number => Math.max(0, Math.floor(end - performance.now()));
    return handler(event, { ...context, getRemainingTimeInMillis } as Context);
  }

  cleanup(): void {
    // Nothing to end: the handler lives as long as the process.
  }
}
