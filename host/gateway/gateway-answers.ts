/** What the gateway itself answers, in the form of the functions' own errors (docs/errors.md). Deployed, deploy/resources/gateway.yml does it. */
import { json, toResult, type Answer } from "../../functions/http/answer.ts";

const STATUS = {
  bad_request: 400,
  unknown_path: 404,
  request_timeout: 408,
  body_too_large: 413,
  expectation_failed: 417,
  headers_too_large: 431,
  function_failed: 502,
  overloaded: 503,
  outcome_unknown: 504,
} as const;

export type GatewayCode = keyof typeof STATUS;

/** Seconds after which a request that was turned away may come again. */
const RETRY_AFTER = 1;

export function gatewayAnswer(code: GatewayCode, message: string): Answer {
  const answer = json({ error: { code, message } }, STATUS[code]);
  return code === "overloaded" ? { ...answer, retryAfter: RETRY_AFTER } : answer;
}

export const UNKNOWN_PATH = toResult(gatewayAnswer("unknown_path", "there is no such route"));
export const FUNCTION_FAILED = toResult(
  gatewayAnswer("function_failed", "the function gave no answer; see the request log"),
);
export const LATE_ANSWER = toResult(
  gatewayAnswer(
    "outcome_unknown",
    "the outcome is not known; an Idempotency-Key makes it safe to send the request again",
  ),
);
