/** W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a request belongs to. */

export const TRACEPARENT = "traceparent";

const FORM = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** Null where it is not one. */
export function traceIdOf(traceparent: string | undefined): string | null {
  return traceparent === undefined ? null : (FORM.exec(traceparent)?.[1] ?? null);
}

/** 32 digits of which the second half, which is the span's id, is not all zeros; so the whole, the trace's, is not either. */
const DIGITS = /^[0-9a-f]{16}(?!0{16})[0-9a-f]{16}$/;

/**
 * The trace of a request that came without one: its own id, which is as random as a trace's has to be. So the lines that
 * all services write about it have one trace, also where nobody collects traces. It says "not sampled".
 * @param requestId a UUID
 * @returns empty where it is none
 */
export function traceOfRequest(requestId: string): string {
  const id = requestId.toLowerCase();
  const digits = id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
  return DIGITS.test(digits) ? `00-${digits}-${digits.slice(16)}-00` : "";
}
