/** W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a request belongs to. */

export const TRACEPARENT = "traceparent";

const FORM = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** Null where it is not one. */
export function traceIdOf(traceparent: string | undefined): string | null {
  return traceparent === undefined ? null : (FORM.exec(traceparent)?.[1] ?? null);
}

/**
 * The trace of a request that came without one: its own id, which is as random as a trace's has to be. So the lines that
 * all services write about it have one trace, also where nobody collects traces. It says "not sampled".
 */
export function traceOfRequest(requestId: string): string {
  const digits = requestId.replaceAll("-", "").toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) && !/^0+$/.test(digits.slice(16)) && !/^0+$/.test(digits)
    ? `00-${digits}-${digits.slice(16)}-00`
    : "";
}
