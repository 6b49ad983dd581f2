/**
 * A request as AWS hands it to a function, in any of its three forms: API Gateway's REST API (payload 1.0), its HTTP API and
 * function URLs (2.0), and an Application Load Balancer, with headers as they are or as lists.
 */
import type { ALBEvent, APIGatewayProxyEvent, APIGatewayProxyEventV2, APIGatewayProxyResult } from "aws-lambda";
import { Refusal, UnknownPathError } from "../errors.ts";
import { toResult, type Answer } from "../http/answer.ts";
import { corsHeaders } from "../http/cors.ts";

export type RequestEvent = APIGatewayProxyEvent | APIGatewayProxyEventV2 | ALBEvent;

export interface Incoming {
  readonly event: RequestEvent;
  readonly method: string;
  /** As it came, without the stage. */
  readonly path: string;
}

/** What a function serves: `POST /stock/add/{item_id}/{amount}`, taken apart. */
export interface RoutePattern {
  readonly method: string;
  readonly resource: string;
  readonly segments: readonly string[];
}

export function routePattern(route: string): RoutePattern {
  const [method = "", resource = ""] = route.split(" ");
  return { method, resource, segments: resource.split("/") };
}

/** What tells the forms of events apart. */
interface AnyEvent {
  readonly httpMethod?: unknown;
  readonly path?: unknown;
  readonly version?: unknown;
  readonly rawPath?: unknown;
  readonly requestContext?: { readonly stage?: string; readonly http?: { readonly method?: unknown } };
}

/** @throws Refusal invalid_event */
export function incoming(event: unknown): Incoming {
  const { httpMethod, path, version, rawPath, requestContext } = (event ?? {}) as AnyEvent;
  if (typeof httpMethod === "string" && typeof path === "string")
    return { event: event as RequestEvent, method: httpMethod, path };
  const method = requestContext?.http?.method;
  if (version === "2.0" && typeof rawPath === "string" && typeof method === "string") {
    const stage = `/${requestContext?.stage ?? ""}`;
    return {
      event: event as RequestEvent,
      method,
      path: rawPath.startsWith(`${stage}/`) ? rawPath.slice(stage.length) : rawPath,
    };
  }
  throw new Refusal(
    "invalid_event",
    "the function was invoked with an event that is no request of API Gateway or of a load balancer",
  );
}

/**
 * The path parameters: those that the gateway has found, else those that the pattern finds. A load balancer finds none, and so does
 * a route for everything.
 * @throws UnknownPathError where the path or the method is another function's
 */
export function pathParameters(
  { event, method, path }: Incoming,
  pattern: RoutePattern,
): Readonly<Record<string, string | undefined>> {
  const unknown = (): UnknownPathError =>
    new UnknownPathError(`this function serves ${pattern.method} ${pattern.resource}`);
  // A route for all methods leads here as well.
  if (method !== pattern.method) throw unknown();
  const given = "pathParameters" in event ? event.pathParameters : null;
  if (given) return given;
  const parts = (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path).split("/");
  const found: Record<string, string> = {};
  const fits = pattern.segments.every((segment, i) => {
    if (!segment.startsWith("{")) return segment === parts[i];
    found[segment.slice(1, -1)] = decoded(parts[i] ?? "");
    return true;
  });
  if (!fits || parts.length !== pattern.segments.length) throw unknown();
  return found;
}

/** The request in canonical form: two that mean the same are equal, however their paths were escaped. */
export function canonical(
  { method, resource }: RoutePattern,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  return `${method} ${resource.replace(/\{(\w+)\}/g, (_, name: string) => parameters[name] ?? "")}`;
}

/** The different values of a header, whatever the case of its name and however many lines it had. */
export function headerValues({ event }: Pick<Incoming, "event">, name: string): readonly string[] {
  const lists = ("multiValueHeaders" in event && event.multiValueHeaders) || null;
  // API Gateway's own test console sends null.
  const headers: Readonly<Record<string, string | string[] | undefined>> = lists ?? event.headers ?? {};
  let values: string[] | undefined;
  for (const key of Object.keys(headers)) {
    if (key.length !== name.length || key.toLowerCase() !== name) continue;
    const value = headers[key];
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && !values?.includes(one)) (values ??= []).push(one);
    }
  }
  return values ?? NO_VALUES;
}

const NO_VALUES: readonly string[] = [];

/** The body as text; empty where there is none. */
export function bodyOf({ event: { body, isBase64Encoded } }: Incoming): string {
  return body && isBase64Encoded ? Buffer.from(body, "base64").toString("utf8") : (body ?? "");
}

/** The answer in the form that whoever sent the event reads. @param request null where the event was none */
export function outgoingResult(answer: Answer, request: Incoming | null): APIGatewayProxyResult {
  const result = toResult(answer);
  if (process.env["CORS_ORIGINS"])
    Object.assign(result.headers ?? {}, corsHeaders(request ? headerValues(request, "origin")[0] : undefined));
  if (request === null || !isListed(request.event)) return result;
  // A load balancer that sends lists takes nothing but lists.
  const lists = Object.entries(result.headers ?? {}).map(([name, value]): [string, string[]] => [
    name,
    [String(value)],
  ]);
  return {
    statusCode: result.statusCode,
    isBase64Encoded: false,
    multiValueHeaders: Object.fromEntries(lists),
    body: result.body,
  };
}

function isListed(event: RequestEvent): boolean {
  return !event.headers && "multiValueHeaders" in event && Boolean(event.multiValueHeaders);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
