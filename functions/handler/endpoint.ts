import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { restoreState, type LoggedRedis } from "log-replay";
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import type { Idempotency } from "../state/idempotency.ts";
import { signingSecret } from "../settings/secret.ts";
import { openState, RESTORE_PATIENCE, type Service } from "../state/open-state.ts";
import { toResult, type Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { parse } from "../http/parameters.ts";
import { describe, log } from "../request-log.ts";
import { SIGNATURE_HEADER, verify } from "../calls/signature.ts";
import { timeLeft } from "./time-left.ts";

/** Milliseconds: the longest that a request works, and what it leaves of the invocation's own time for its answer. */
const PATIENCE = 10_000;
const RESERVE = 500;

/** One request, checked, with what its handler works with. */
export interface Call<Path = unknown, Body = unknown> {
  readonly path: Path;
  readonly body: Body;
  /** The service's own state. */
  readonly state: LoggedRedis;
  /** Null where the caller sent no Idempotency-Key. */
  readonly idempotency: Idempotency | null;
  /** Of the request, as W3C Trace Context has it; undefined where it has none. */
  readonly traceparent: string | undefined;
  /** When the request came; milliseconds since 1970. */
  readonly now: number;
  /** By when it has to be answered; milliseconds since 1970. */
  readonly deadline: number;
  /** What the request log shall say besides the usual. */
  readonly notes: Record<string, unknown>;
}

type Entries = v.ObjectEntries;
type Output<E extends Entries> = v.InferOutput<v.ObjectSchema<E, undefined>>;

export interface Route<P extends Entries, B extends Entries> {
  readonly service: Service;
  /** Path parameters. */
  readonly path?: P;
  /** Members of the JSON body. A route with a body is one between the services: it must be signed. */
  readonly signedBody?: B;
  /** Milliseconds that it may work, where that is more than usual and the function's timeout allows it. */
  readonly patience?: number;
  readonly handle: (call: Call<Output<P>, Output<B>>) => Promise<Answer>;
}

/** A handler bounds its own time: middy's timer for each invocation would do the same once more. */
const BOUNDED: middy.PluginObject = { timeoutEarlyInMillis: 0 };

type Middleware = middy.MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult>;

/** What the request log says of an invocation: kept on its context, which the handler and the middleware share. */
const RECORD = Symbol("request log");

interface Recorded {
  [RECORD]?: { readonly started: number; readonly notes: Record<string, unknown> } | undefined;
}

function recordOf(context: object): NonNullable<Recorded[typeof RECORD]> {
  const recorded: Recorded = context;
  return (recorded[RECORD] ??= { started: performance.now(), notes: {} });
}

/** A route as a Lambda handler: what all of them share, around the handler of one. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no entries is what it says
export function endpoint<P extends Entries = Record<never, never>, B extends Entries = Record<never, never>>(
  route: Route<P, B>,
) {
  const { service, signedBody, patience = PATIENCE } = route;
  const pathSchema = v.object(route.path ?? ({} as P));
  const bodySchema = signedBody && v.object(signedBody);
  const restored: Middleware = restoreState({
    state: () => openState(service),
    timeout: RESTORE_PATIENCE,
    reserve: RESERVE,
  });

  return middy<APIGatewayProxyEvent, APIGatewayProxyResult>(BOUNDED)
    .use([requestLog(service), mappedErrors, ...(bodySchema ? [signed] : []), restored])
    .handler(async (event, context) => {
      const now = Date.now();
      const answer = await route.handle({
        path: parse(pathSchema, event.pathParameters ?? {}),
        body: (bodySchema ? parse(bodySchema, parseJson(event.body)) : {}) as Output<B>,
        state: await openState(service),
        idempotency: idempotencyOf(event, now),
        traceparent: traceparentOf(event),
        now,
        deadline: now + timeLeft(context, patience, RESERVE),
        notes: recordOf(context).notes,
      });
      await failPoint("answer.before");
      return toResult(answer);
    });
}

const signed: Middleware = {
  before: async ({ event }) =>
    verify(signedPart(event), header(event, SIGNATURE_HEADER), await signingSecret(Date.now()), Date.now()),
};

const mappedErrors: Middleware = {
  onError: (request) => void (request.response = toResult(errorAnswer(request.error))),
};

/** One line for each request: what it was, what it came to, how long it took. */
function requestLog({ name }: Service): Middleware {
  const write = (request: middy.Request<APIGatewayProxyEvent, APIGatewayProxyResult>): void => {
    const { event, context, response, error } = request;
    const status = response?.statusCode ?? 500;
    const { started, notes } = recordOf(context);
    if (error) notes["error"] = describe(error, status === 500);
    log(status >= 500 ? "error" : "info", "request", {
      service: name,
      requestId: context.awsRequestId,
      method: event.httpMethod,
      path: event.path,
      status,
      ms: Math.round((performance.now() - started) * 10) / 10,
      ...notes,
    });
  };
  return {
    before: ({ context }) => {
      recordOf(context);
      // Open connections are kept for the next invocation; they are no reason to wait.
      context.callbackWaitsForEmptyEventLoop = false;
    },
    after: write,
    onError: write,
  };
}

function signedPart({ httpMethod, path, body }: APIGatewayProxyEvent): { method: string; path: string; body: string } {
  return { method: httpMethod, path, body: body ?? "" };
}

function idempotencyOf(event: APIGatewayProxyEvent, at: number): Idempotency | null {
  const key = header(event, "idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Refusal("invalid_idempotency_key", "an Idempotency-Key has 1 to 255 visible ASCII characters");
  }
  return { key, request: `${event.httpMethod} ${event.path}`, at };
}

function traceparentOf(event: APIGatewayProxyEvent): string | undefined {
  const value = header(event, "traceparent");
  return value !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value) ? value : undefined;
}

/** Header names come as the client wrote them. */
function header(event: APIGatewayProxyEvent, name: string): string | undefined {
  // API Gateway's own test console sends null.
  const headers = (event.headers as APIGatewayProxyEvent["headers"] | null) ?? {};
  const exact = headers[name];
  if (exact !== undefined) return exact;
  return Object.entries(headers).find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}

function parseJson(body: string | null): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    throw new Refusal("invalid_body", "the body must be JSON");
  }
}
