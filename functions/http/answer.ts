import type { APIGatewayProxyResult } from "aws-lambda";

/** What a request is answered with. It is plain data, so it can be kept as it is for an idempotency key. */
export interface Answer {
  readonly status: number;
  readonly type: "application/json" | "text/plain; charset=utf-8";
  readonly body: string;
  /** Seconds after which the request may be sent again. */
  readonly retryAfter?: number;
  /** Where to look what became of it. */
  readonly location?: string;
}

export function json(value: unknown, status = 200): Answer {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

export function text(value: string | number): Answer {
  return { status: 200, type: "text/plain; charset=utf-8", body: String(value) };
}

export function toResult({ status, type, body, retryAfter, location }: Answer): APIGatewayProxyResult {
  return {
    statusCode: status,
    headers: {
      "content-type": type,
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      ...(location === undefined ? {} : { location }),
    },
    body,
  };
}
