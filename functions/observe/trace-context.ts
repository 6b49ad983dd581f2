/** W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a request belongs to. */

export const TRACEPARENT = "traceparent";

/** The 55 characters of version 00. A later version may go on after a dash. */
const FORM = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]([0-9a-f])(?=-|$)/;

/**
 * A traceparent as it is kept and sent on: of version 00, so that nobody's header has a length or characters of a client's choice.
 * Of a later version it keeps what version 00 knows of it, as the standard asks.
 * @returns empty where it is none
 */
export function strictTraceparent(given: string | undefined): string {
  const [known, , flags = ""] = FORM.exec(given ?? "") ?? [];
  if (given === undefined || known === undefined) return "";
  if (!given.startsWith("00")) return `00${known.slice(2, -2)}0${parseInt(flags, 16) & 1}`;
  return given.length === known.length ? given : "";
}

/** Null where it is not one. */
export function traceIdOf(traceparent: string | undefined): string | null {
  return strictTraceparent(traceparent).slice(3, 35) || null;
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
