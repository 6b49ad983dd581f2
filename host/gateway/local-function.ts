import { randomUUID } from "node:crypto";
import type { Context } from "aws-lambda";
import type { FunctionDescription, ServiceDescription } from "./description.ts";

export type Handler = (event: unknown, context: Context) => unknown;

/** Gives the handler that a description names. */
export type LoadHandler = (description: Pick<FunctionDescription, "handler">) => Promise<Handler>;

/** A function in this process: its handler, and what Lambda tells each of its invocations. */
export class LocalFunction {
  readonly description: FunctionDescription;
  readonly #load: LoadHandler;
  readonly #identity: Partial<Context>;
  #handler: Handler | undefined;
  /** One import for the life of the process. First requests share it even while it is under way. */
  #loading: Promise<Handler> | undefined;

  constructor(description: FunctionDescription, { service, stage }: ServiceDescription, load: LoadHandler) {
    this.description = description;
    this.#load = load;
    const functionName = `${service}-${stage}-${description.name}`;
    this.#identity = {
      callbackWaitsForEmptyEventLoop: true,
      functionName,
      functionVersion: "$LATEST",
      invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
      memoryLimitInMB: String(description.memoryMegabytes),
      logGroupName: `/aws/lambda/${functionName}`,
      logStreamName: "local",
    };
  }

  /** @throws Error where it cannot be loaded; the next call tries again */
  load(): Promise<Handler> {
    this.#loading ??= this.#load(this.description).then(
      (handler) => (this.#handler = handler),
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }

  /** @returns what the handler returns, usually a promise @throws what it throws */
  invoke(event: unknown): unknown {
    return this.#handler === undefined
      ? this.load().then((handler) => handler(event, this.#context()))
      : this.#handler(event, this.#context());
  }

  #context(): Context {
    const end = performance.now() + this.description.timeout;
    return {
      ...this.#identity,
      awsRequestId: randomUUID(),
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(end - performance.now())),
    } as Context;
  }
}

/** Imports a handler from below `root`. @param extension of the files that hold the code */
export function importFrom(root: string, extension: ".ts" | ".js"): LoadHandler {
  return async ({ handler: path }) => {
    const dot = path.lastIndexOf(".");
    const file = new URL(`${path.slice(0, dot)}${extension}`, root);
    const handler = ((await import(file.href)) as Record<string, unknown>)[path.slice(dot + 1)];
    if (typeof handler !== "function") throw new Error(`${path} is not a function`);
    return handler as Handler;
  };
}
