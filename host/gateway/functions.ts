/** The functions of serverless.yml in this process: what API Gateway and Lambda do for them elsewhere. */
import type { APIGatewayProxyResult } from "aws-lambda";
import findMyWay from "find-my-way";
import type { Dispatch } from "../../functions/calls/dispatch.ts";
import { within } from "../../functions/calls/within.ts";
import type { ServiceDescription } from "./description.ts";
import { proxyEvent, type GatewayRequest } from "./event.ts";
import { FUNCTION_FAILED, LATE_ANSWER } from "./gateway-answers.ts";
import { LocalFunction, type LoadHandler } from "./local-function.ts";

/** A route with its function, as the router keeps it. */
interface Served {
  readonly resource: string;
  readonly called: LocalFunction;
  /** True for a function that tells monitors how its service is. */
  readonly isHealth: boolean;
}

/** A function that a request leads to, with what its path says. */
export interface Target extends Served {
  readonly pathParameters: Record<string, string> | null;
}

/**
 * Characters of the longest path parameter that the router accepts. No request is long enough to have a longer one, so it is always
 * the function that says what is wrong with a parameter.
 */
const LONGEST_PARAMETER = 128 * 1_024;

export class Functions {
  readonly #stage: string;
  readonly #functions: ReadonlyMap<string, LocalFunction>;
  readonly #router = findMyWay({ caseSensitive: true, maxParamLength: LONGEST_PARAMETER });

  /** @throws Error where two routes are the same */
  constructor(service: ServiceDescription, load: LoadHandler) {
    this.#stage = service.stage;
    this.#functions = new Map(
      service.functions.map((description) => [description.name, new LocalFunction(description, service, load)]),
    );
    for (const called of this.#functions.values()) {
      for (const { method, resource } of called.description.routes) {
        const path = resource.replace(/\{(\w+)\}/g, ":$1");
        const served: Served = { resource, called, isHealth: resource.endsWith("/health") };
        this.#router.on(method as findMyWay.HTTPMethod, path, () => undefined, served);
      }
    }
  }

  /** Loads all of them, so that no request waits for that. @throws Error for the first that cannot be loaded */
  async loadAll(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((called) => called.load()));
  }

  /** @returns null where no function has the route */
  match(method: string, path: string): Target | null {
    const found = this.#router.find(method as findMyWay.HTTPMethod, path);
    if (found === null) return null;
    const { resource, called, isHealth } = found.store as Served;
    return {
      resource,
      called,
      isHealth,
      pathParameters: resource.includes("{") ? (found.params as Record<string, string>) : null,
    };
  }

  /**
   * Runs a function for a request. Never rejects: a function that throws is a 502, and one that takes longer than it
   * may is a 504.
   */
  async run(target: Target, request: GatewayRequest): Promise<APIGatewayProxyResult> {
    const { called } = target;
    const { name, timeout } = called.description;
    try {
      const answer = Promise.resolve(
        called.invoke(proxyEvent(request, target, this.#stage)) as APIGatewayProxyResult | undefined,
      );
      const result = await within(answer, timeout, () => LATE_ANSWER);
      return typeof result?.statusCode === "number" ? result : FUNCTION_FAILED;
    } catch (error) {
      process.stderr.write(
        `${name} threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      return FUNCTION_FAILED;
    }
  }

  /** For calls between the functions. */
  readonly dispatch: Dispatch = ({ method, path, headers, body }) => {
    const target = this.match(method, path);
    if (target === null) return null;
    const rawHeaders: string[] = [];
    for (const [name, value] of Object.entries(headers)) rawHeaders.push(name, value);
    return this.run(target, {
      method,
      path,
      query: "",
      rawHeaders,
      body,
      isBase64Encoded: false,
      sourceIp: "127.0.0.1",
    });
  };

  /** Runs a function by its name, as the scheduler does. @throws Error where there is none, and what it throws */
  async invoke(name: string, event: unknown): Promise<unknown> {
    const called = this.#functions.get(name);
    if (called === undefined) throw new Error(`there is no function ${name}`);
    return called.invoke(event);
  }
}
