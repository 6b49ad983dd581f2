import { randomUUID } from "node:crypto";
import type { APIGatewayProxyEvent, Context } from "aws-lambda";

export interface RequestToSend {
  readonly method: string;
  readonly path: string;
  readonly resource: string;
  readonly pathParameters: Record<string, string> | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
}

/** A REST proxy event as API Gateway makes it. */
export function proxyEvent({
  method,
  path,
  resource,
  pathParameters,
  headers = {},
  body = null,
}: RequestToSend): APIGatewayProxyEvent {
  const sent: Record<string, string> = {
    Host: "shop.example",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Proto": "https",
    ...headers,
  };
  return {
    resource,
    path,
    httpMethod: method,
    headers: sent,
    multiValueHeaders: Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, [value]])),
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters,
    stageVariables: null,
    requestContext: {
      accountId: "123456789012",
      apiId: "shop",
      authorizer: null,
      protocol: "HTTP/1.1",
      httpMethod: method,
      identity: { sourceIp: "192.0.2.1", userAgent: "test" } as APIGatewayProxyEvent["requestContext"]["identity"],
      path: `/offline${path}`,
      stage: "offline",
      requestId: randomUUID(),
      requestTimeEpoch: Date.now(),
      resourceId: resource,
      resourcePath: resource,
    },
    body,
    isBase64Encoded: false,
  };
}

/** A Lambda context whose time runs out. @param time milliseconds that the invocation has in all */
export function lambdaContext(functionName: string, time = 30_000): Context {
  const end = Date.now() + time;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:123456789012:function:${functionName}`,
    memoryLimitInMB: "512",
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: "test",
    getRemainingTimeInMillis: () => end - Date.now(),
  } as unknown as Context;
}
