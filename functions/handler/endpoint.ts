import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
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
import { requests, traced, type RequestMessage, type Work } from "../observe/channels.ts";
import { traceIdOf, traceOfRequest, TRACEPARENT } from "../observe/trace-context.ts";
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
  /** When the request came; milliseconds since 1970. */
  readonly now: number;
  /** By when it has to be answered; milliseconds since 1970. */
  readonly deadline: number;
  /** What the request log is to say besides the usual. */
  readonly notes: Record<string, unknown>;
  /** W3C traceparent, for what the request asks of others and leaves to others. */
  readonly trace: string;
}

type Entries = v.ObjectEntries;
type Output<E extends Entries> = v.InferOutput<v.ObjectSchema<E, undefined>>;

export interface Route<P extends Entries, B extends Entries> {
  readonly service: Service;
  /** Path parameters. */
  readonly path?: P;
  /** Members of the JSON body. A route with a body is between the services, so its requests must be signed. */
  readonly signedBody?: B;
  /** Milliseconds that it may work, where that is more than usual and the function's timeout allows it. */
  readonly patience?: number;
  readonly handle: (call: Call<Output<P>, Output<B>>) => Promise<Answer>;
}

/** A handler bounds its own time, so middy's timer for each invocation is not needed. */
const BOUNDED: middy.PluginObject = { timeoutEarlyInMillis: 0 };

type Middleware = middy.MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult>;

/** What the request log says of an invocation: kept on its context, which the handler and the middleware share. */
const RECORD = Symbol("request log");

interface Recorded {
  [RECORD]?: Recording | undefined;
}

interface Recording {
  readonly started: number;
  readonly notes: Record<string, unknown>;
  work?: Work;
}

function recordOf(context: object): Recording {
  const recorded: Recorded = context;
  return (recorded[RECORD] ??= { started: performance.now(), notes: {} });
}

/** A route as a Lambda handler: what all routes share, around the handler of one. */
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

  const handled = middy<APIGatewayProxyEvent, APIGatewayProxyResult>(BOUNDED)
    .use([requestLog(service), mappedErrors, ...(bodySchema ? [signed] : []), restored])
    .handler(async (event, context) => {
      const now = Date.now();
      const answer = await route.handle({
        path: parse(pathSchema, event.pathParameters ?? {}),
        body: (bodySchema ? parse(bodySchema, parseJson(event.body)) : {}) as Output<B>,
        state: await openState(service),
        idempotency: idempotencyOf(event, now),
        now,
        deadline: now + timeLeft(context, patience, RESERVE),
        notes: recordOf(context).notes,
        trace: recordOf(context).work?.trace ?? "",
      });
      await failPoint("answer.before");
      return toResult(answer);
    });
  return (event: APIGatewayProxyEvent, context: Context): Promise<APIGatewayProxyResult> => {
    const work = workOf(service, event, context);
    recordOf(context).work = work;
    return traced(work, () => handled(event, context) as Promise<APIGatewayProxyResult>);
  };
}

function workOf({ name }: Service, event: APIGatewayProxyEvent, context: Context): Work {
  const given = header(event, TRACEPARENT);
  const remote = traceIdOf(given) !== null;
  return {
    name: `${event.httpMethod} ${event.resource}`,
    kind: "server",
    attributes: { "shop.service": name, "http.request.method": event.httpMethod, "http.route": event.resource },
    trace: remote ? (given ?? "") : traceOfRequest(context.awsRequestId),
    remote,
  };
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
    const { started, notes, work } = recordOf(context);
    const ms = Math.round((performance.now() - started) * 10) / 10;
    if (work !== undefined) work.status = status;
    // It is one, or empty: that was looked at when the request came.
    const trace = work?.trace.slice(3, 35) ?? "";
    if (requests.hasSubscribers) {
      const { httpMethod: method, resource: route } = event;
      requests.publish({ service: name, method, route, status, ms } satisfies RequestMessage);
    }
    if (error) notes["error"] = describe(error, status === 500);
    log(status >= 500 ? "error" : "info", "request", {
      service: name,
      requestId: context.awsRequestId,
      method: event.httpMethod,
      path: event.path,
      status,
      ms,
      ...(trace === "" ? {} : { trace }),
      ...notes,
    });
  };
  return {
    before: ({ context }) => {
      recordOf(context);
      // Open connections are kept for the next invocation, so there is nothing to wait for.
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
