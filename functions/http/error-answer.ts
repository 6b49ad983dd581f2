import { LogError } from "log-replay";
import { OccError } from "redis-occ";
import { ShopError } from "../errors.ts";
import { json, type Answer } from "./answer.ts";

/** Seconds: how soon a request may come again after trouble that passes, and after trouble that needs an operator. */
const SOON = 1;
const LATER = 30;

/**
 * The one place where errors become HTTP. Whatever is not listed here is a bug, and its answer says no more than that.
 */
export function errorAnswer(error: unknown): Answer {
  if (error instanceof ShopError) return answer(error.statusCode, error.code, error.message, SOON);
  if (error instanceof OccError) {
    // "Nothing was changed" may be said only where that is known.
    return error.unchanged
      ? answer(503, error.code, error.message, mayPass(error) ? SOON : LATER)
      : answer(504, error.code, "the outcome is not known; an Idempotency-Key makes it safe to send the request again");
  }
  if (error instanceof LogError) return answer(503, error.code, error.message, error.transient ? SOON : LATER);
  return answer(500, "internal_error", "an unexpected error; see the request log");
}

function answer(status: number, code: string, message: string, retryAfter?: number): Answer {
  const body = json({ error: { code, message } }, status);
  return status === 503 && retryAfter !== undefined ? { ...body, retryAfter } : body;
}

/** A process that ends is followed by another one. */
function mayPass({ transient, code }: OccError): boolean {
  return transient || code === "closed";
}
