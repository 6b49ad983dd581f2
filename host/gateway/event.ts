/** Requests as API Gateway hands them to a function: REST API, payload version 1. */
import { randomUUID } from "node:crypto";
import type { APIGatewayProxyEvent } from "aws-lambda";

export interface GatewayRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
  readonly sourceIp: string;
}

export interface Matched {
  readonly resource: string;
  readonly pathParameters: Record<string, string> | null;
}

/** The account and the API that stand in the events of a local gateway. */
const ACCOUNT = "000000000000";
const API = "local";

export function proxyEvent(
  request: GatewayRequest,
  { resource, pathParameters }: Matched,
  stage: string,
): APIGatewayProxyEvent {
  const { method, path, query, rawHeaders, body, isBase64Encoded, sourceIp } = request;
  const headers: Record<string, string> = {};
  const multiValueHeaders: Record<string, string[]> = {};
  let userAgent: string | null = null;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    // The last of several headers with one name counts, as in API Gateway.
    const values = Object.hasOwn(multiValueHeaders, name) ? multiValueHeaders[name] : undefined;
    if (values !== undefined) values.push(value);
    else setOwn(multiValueHeaders, name, [value]);
    setOwn(headers, name, value);
    if (name.length === 10 && name.toLowerCase() === "user-agent") userAgent = value;
  }
  const now = Date.now();
  return {
    resource,
    path,
    httpMethod: method,
    headers,
    multiValueHeaders,
    ...queryParameters(query),
    pathParameters,
    stageVariables: null,
    requestContext: {
      accountId: ACCOUNT,
      apiId: API,
      authorizer: null,
      protocol: "HTTP/1.1",
      httpMethod: method,
      identity: identity(sourceIp, userAgent),
      path: `/${stage}${path}`,
      stage,
      requestId: randomUUID(),
      requestTimeEpoch: now,
      resourceId: resource,
      resourcePath: resource,
    },
    body,
    isBase64Encoded,
  };
}

/** A client chooses the name, and may choose `__proto__`. */
function setOwn<T>(object: Record<string, T>, name: string, value: T): void {
  if (name === "__proto__")
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}

/**
 * Nobody in particular. It is spelt out, because an object that is made in one piece costs a fraction of one with parts
 * spread into it.
 */
function identity(sourceIp: string, userAgent: string | null): APIGatewayProxyEvent["requestContext"]["identity"] {
  return {
    accessKey: null,
    accountId: null,
    apiKey: null,
    apiKeyId: null,
    caller: null,
    clientCert: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp,
    user: null,
    userAgent,
    userArn: null,
  };
}

function queryParameters(
  query: string,
): Pick<APIGatewayProxyEvent, "queryStringParameters" | "multiValueQueryStringParameters"> {
  if (query === "") return { queryStringParameters: null, multiValueQueryStringParameters: null };
  const parameters = new URLSearchParams(query);
  const names = [...new Set(parameters.keys())];
  return {
    queryStringParameters: Object.fromEntries(parameters),
    multiValueQueryStringParameters: Object.fromEntries(names.map((name) => [name, parameters.getAll(name)])),
  };
}
