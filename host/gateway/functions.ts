/** The functions of serverless.yml in this process: what API Gateway and Lambda do for them elsewhere. */
import { randomUUID } from "node:crypto";
import type { APIGatewayProxyResult, Context } from "aws-lambda";
import findMyWay from "find-my-way";
import type { Dispatch } from "../../functions/http/dispatch.ts";
import type { FunctionDescription, ServiceDescription } from "./description.ts";
import { proxyEvent, type GatewayRequest } from "./event.ts";

export type Handler = (event: unknown, context: Context) => unknown;

/** Gives the handler that a description names. */
export type LoadHandler = (description: Pick<FunctionDescription, "handler">) => Promise<Handler>;

interface Route {
  readonly resource: string;
  readonly description: FunctionDescription;
}

/** A function that a request leads to, with what its path says. */
export interface Target extends Route {
  readonly pathParameters: Record<string, string> | null;
}

/** Longest path parameter that is still handed to a function, which knows better why it is wrong. */
const LONGEST_PARAMETER = 8_192;

const unanswered = (statusCode: number, message: string): APIGatewayProxyResult => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ message }),
});

export class Functions {
  readonly #service: ServiceDescription;
  readonly #load: LoadHandler;
  /** One import a function for the life of the process; also while it is under way, so that first requests share it. */
  readonly #handlers = new Map<string, Promise<Handler>>();
  readonly #loaded = new Map<string, Handler>();
  readonly #router = findMyWay({ caseSensitive: true, maxParamLength: LONGEST_PARAMETER });

  /** @throws Error where two routes are the same */
  constructor(service: ServiceDescription, load: LoadHandler) {
    this.#service = service;
    this.#load = load;
    for (const description of service.functions) {
      for (const { method, resource } of description.routes) {
        const path = resource.replace(/\{(\w+)\}/g, ":$1");
        const route: Route = { resource, description };
        this.#router.on(method as findMyWay.HTTPMethod, path, () => undefined, route);
      }
    }
  }

  /** Loads all of them, so that no request waits for that. @throws Error for the first that cannot be loaded */
  async loadAll(): Promise<void> {
    await Promise.all(this.#service.functions.map((description) => this.#handler(description)));
  }

  /** @returns null where no function has the route */
  match(method: string, path: string): Target | null {
    const found = this.#router.find(method as findMyWay.HTTPMethod, path);
    if (found === null) return null;
    const route = found.store as Route;
    return { ...route, pathParameters: route.resource.includes("{") ? (found.params as Record<string, string>) : null };
  }

  /** Runs a function for a request. Never rejects: one that throws is 502 to whoever asked, one that takes longer than it may is 504. */
  async run(target: Target, request: GatewayRequest): Promise<APIGatewayProxyResult> {
    const { description } = target;
    let timer: NodeJS.Timeout | undefined;
    try {
      const handler = this.#loaded.get(description.name) ?? (await this.#handler(description));
      const late = new Promise<APIGatewayProxyResult>((resolve) => {
        timer = setTimeout(() => resolve(unanswered(504, "Endpoint request timed out")), description.timeout);
      });
      const event = proxyEvent(request, target, this.#service.stage);
      const result = (await Promise.race([handler(event, this.#context(description)), late])) as APIGatewayProxyResult | undefined;
      return typeof result?.statusCode === "number" ? result : unanswered(502, "Internal server error");
    } catch (error) {
      process.stderr.write(`${description.name} threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return unanswered(502, "Internal server error");
    } finally {
      clearTimeout(timer);
    }
  }

  /** For calls between the functions. */
  readonly dispatch: Dispatch = ({ method, path, headers, body }) => {
    const target = this.match(method, path);
    const rawHeaders = Object.entries(headers).flat();
    return target && this.run(target, { method, path, query: "", rawHeaders, body, isBase64Encoded: false, sourceIp: "127.0.0.1" });
  };

  /** Runs a function by its name, as the scheduler does. @throws Error where there is none, and what it throws */
  async invoke(name: string, event: unknown): Promise<unknown> {
    const description = this.#service.functions.find((candidate) => candidate.name === name);
    if (description === undefined) throw new Error(`there is no function ${name}`);
    const handler = await this.#handler(description);
    return handler(event, this.#context(description));
  }

  #handler(description: FunctionDescription): Promise<Handler> {
    const { name } = description;
    let loading = this.#handlers.get(name);
    if (loading === undefined) {
      loading = this.#load(description);
      this.#handlers.set(name, loading);
      loading.then(
        (handler) => this.#loaded.set(name, handler),
        () => this.#handlers.delete(name),
      );
    }
    return loading;
  }

  #context({ name, timeout, memoryMegabytes }: FunctionDescription): Context {
    const { service, stage } = this.#service;
    const functionName = `${service}-${stage}-${name}`;
    const end = performance.now() + timeout;
    return {
      callbackWaitsForEmptyEventLoop: true,
      functionName,
      functionVersion: "$LATEST",
      invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
      memoryLimitInMB: String(memoryMegabytes),
      awsRequestId: randomUUID(),
      logGroupName: `/aws/lambda/${functionName}`,
      logStreamName: "local",
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
