import middy from "@middy/core";
import type { APIGatewayProxyResult, Context } from "aws-lambda";
import type { LoggedRedis } from "log-replay";
import { restoreState } from "log-replay/middleware";
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import type { Idempotency } from "../state/idempotency.ts";
import { signingSecret } from "../settings/secret.ts";
import { stopsAfterAnswer } from "../settings/configuration.ts";
import { openState, RESTORE_PATIENCE, type Service } from "../state/open-state.ts";
import type { Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { parse } from "../http/parameters.ts";
import { describe, log } from "../request-log.ts";
import { SIGNATURE_HEADER, verify } from "../calls/signature.ts";
import {
  bodyOf,
  canonical,
  headerValues,
  incoming,
  outgoingResult,
  pathParameters,
  routePattern,
  type Incoming,
  type RoutePattern,
  type RequestEvent,
} from "./incoming.ts";
import { requests, traced, type RequestMessage, type Work } from "../observe/channels.ts";
import { sendingTraces } from "../observe/traces.ts";
import { strictTraceparent, traceOfRequest, TRACEPARENT } from "../observe/trace-context.ts";
import { timeLeft } from "./time-left.ts";

/** Milliseconds: the longest that a request works, and what it leaves of the invocation's own time for its answer. */
export const PATIENCE = 10_000;
export const RESERVE = 500;

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
  /** Further members of the request's line in the request log. */
  readonly notes: Record<string, unknown>;
  /** W3C traceparent, for what the request asks of others and leaves to others. */
  readonly trace: string;
}

type Entries = v.ObjectEntries;
type Output<E extends Entries> = v.InferOutput<v.ObjectSchema<E, undefined>>;

export interface Route<P extends Entries, B extends Entries> {
  readonly service: Service;
  /** As serverless.yml has it: `POST /stock/add/{item_id}/{amount}`. */
  readonly route: string;
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

type Middleware = middy.MiddlewareObj<RequestEvent, APIGatewayProxyResult>;

/** How far an invocation has got: kept on its context, which the handler and the middleware share. */
const PROGRESS = Symbol("progress");

interface Progress {
  readonly started: number;
  readonly notes: Record<string, unknown>;
  /** Null until the event is understood, and where it is no request. */
  request: Incoming | null;
  work?: Work;
}

function progressOf(context: object): Progress {
  const owner: { [PROGRESS]?: Progress | undefined } = context;
  return (owner[PROGRESS] ??= { started: performance.now(), notes: {}, request: null });
}

/** The request of an invocation that `understood` has let through. */
function requestOf(context: Context): Incoming {
  return progressOf(context).request as Incoming;
}

/** Where a handler keeps the route that it was made from, for whoever describes the routes. */
export const ROUTE = Symbol.for("shop.route");

/** A route as a Lambda handler: what all routes share, around the handler of one. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- no entries is what it says
export function endpoint<P extends Entries = Record<never, never>, B extends Entries = Record<never, never>>(
  route: Route<P, B>,
) {
  const { service, signedBody, patience = PATIENCE } = route;
  const pattern = routePattern(route.route);
  const pathSchema = v.object(route.path ?? ({} as P));
  const bodySchema = signedBody && v.object(signedBody);
  const restored: Middleware = restoreState({
    state: () => openState(service),
    timeout: RESTORE_PATIENCE,
    reserve: RESERVE,
    finish: stopsAfterAnswer(),
  });

  const handled = middy<RequestEvent, APIGatewayProxyResult>(BOUNDED)
    .use([requestLog(service, pattern), mappedErrors, understood, ...(bodySchema ? [signed] : []), restored])
    .handler(async (_event, context) => {
      const request = requestOf(context);
      const now = Date.now();
      const parameters = pathParameters(request, pattern);
      const answer = await route.handle({
        path: parse(pathSchema, parameters),
        body: (bodySchema ? parse(bodySchema, parseJson(bodyOf(request))) : {}) as Output<B>,
        state: await openState(service),
        idempotency: idempotencyOf(request, now, () => canonical(pattern, parameters)),
        now,
        deadline: now + timeLeft(context, patience, RESERVE),
        notes: progressOf(context).notes,
        trace: progressOf(context).work?.trace ?? "",
      });
      await failPoint("answer.before");
      return outgoingResult(answer, request);
    });
  const handler = (event: RequestEvent, context: Context): Promise<APIGatewayProxyResult> => {
    const work = workOf(service, pattern, event, context);
    progressOf(context).work = work;
    return traced(work, () => handled(event, context));
  };
  return Object.assign(sendingTraces(handler), { [ROUTE]: route });
}

function workOf({ name }: Service, { method, resource }: RoutePattern, event: RequestEvent, context: Context): Work {
  const given = traceparentOf(event);
  return {
    name: `${method} ${resource}`,
    kind: "server",
    attributes: { "shop.service": name, "http.request.method": method, "http.route": resource },
    trace: given || traceOfRequest(context.awsRequestId),
    remote: given !== "",
  };
}

/** Empty where there is none. The event may be no request at all, and then has no headers to look at. */
function traceparentOf(event: RequestEvent): string {
  try {
    return strictTraceparent(headerValues({ event }, TRACEPARENT)[0]);
  } catch {
    return "";
  }
}

/** Comes after `mappedErrors`, so that whoever sends what is no request is told so. */
const understood: Middleware = {
  before: ({ event, context }) => void (progressOf(context).request = incoming(event)),
};

const signed: Middleware = {
  before: async ({ context }) => {
    const request = requestOf(context);
    const { method, path } = request;
    const [signature] = headerValues(request, SIGNATURE_HEADER);
    verify({ method, path, body: bodyOf(request) }, signature, await signingSecret(Date.now()), Date.now());
  },
};

const mappedErrors: Middleware = {
  onError: (request) =>
    void (request.response = outgoingResult(errorAnswer(request.error), progressOf(request.context).request)),
};

/** One line for each request: what it was, what it came to, how long it took. */
function requestLog({ name }: Service, { method, resource }: RoutePattern): Middleware {
  const write = ({ context, response, error }: middy.Request<RequestEvent, APIGatewayProxyResult>): void => {
    const status = response?.statusCode ?? 500;
    const { started, notes, request, work } = progressOf(context);
    const ms = Math.round((performance.now() - started) * 10) / 10;
    if (work !== undefined) work.status = status;
    // The second member of a traceparent, which `workOf` has checked.
    const trace = work?.trace.slice(3, 35) ?? "";
    if (requests.hasSubscribers)
      requests.publish({ service: name, method, route: resource, status, ms } satisfies RequestMessage);
    if (error) notes["error"] = describe(error, status === 500);
    log(status >= 500 ? "error" : "info", "request", {
      service: name,
      requestId: context.awsRequestId,
      method: request?.method,
      path: request?.path,
      status,
      ms,
      ...(trace === "" ? {} : { trace }),
      ...notes,
    });
  };
  return {
    before: ({ context }) => {
      progressOf(context);
      // Open connections are kept for the next invocation, so there is nothing to wait for.
      context.callbackWaitsForEmptyEventLoop = false;
    },
    after: write,
    onError: write,
  };
}

function idempotencyOf(request: Incoming, at: number, name: () => string): Idempotency | null {
  const lines = headerValues(request, "idempotency-key");
  if (lines.length === 0) return null;
  // Whoever stands in between may join several lines by commas, as payload 2.0 does: so a comma is no part of a key.
  const [key = "", ...others] = new Set(lines.flatMap((line) => line.split(",").map((part) => part.trim())));
  if (others.length > 0) throw new Refusal("invalid_idempotency_key", "a request has one Idempotency-Key");
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Refusal(
      "invalid_idempotency_key",
      "an Idempotency-Key has 1 to 255 visible ASCII characters, and no comma among them",
    );
  }
  return { key, request: name(), at };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Refusal("invalid_body", "the body must be JSON");
  }
}
