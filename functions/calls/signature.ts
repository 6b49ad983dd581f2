import { createHmac, timingSafeEqual } from "node:crypto";
import { ForbiddenError, UnavailableError } from "../errors.ts";

/** What a signature covers. */
export interface Signed {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export const SIGNATURE_HEADER = "x-shop-signature";

/** Milliseconds that a signature is valid, before and after its time. Markers of steps live longer (RETENTION_MS). */
export const VALIDITY = 30_000;

/**
 * Signatures that were made for this very process and are not verified yet: a second HMAC would cost as much as the
 * first.
 */
const unverified = new Map<string, { readonly secret: string; readonly mac: string }>();
/** How many of those that never arrive are kept. */
const MOST_UNVERIFIED = 1_000;

export interface SignOptions {
  /** Whether the other service is in this process, as far as is known. The signature is valid either way. */
  readonly verifiedHere?: boolean;
}

/** `t=<milliseconds since 1970>,v1=<HMAC-SHA256>` over method, path, time and body. */
export function sign(request: Signed, secret: string, now: number, { verifiedHere = false }: SignOptions = {}): string {
  const text = textOf(request, now);
  const mac = macOf(text, secret);
  if (verifiedHere) remember(text, { secret, mac });
  return `t=${now},v1=${mac}`;
}

function remember(text: string, made: { readonly secret: string; readonly mac: string }): void {
  if (unverified.size >= MOST_UNVERIFIED) {
    const [oldest = ""] = unverified.keys();
    unverified.delete(oldest);
  }
  unverified.set(text, made);
}

/**
 * @throws ForbiddenError where there is no signature or a wrong one; UnavailableError signature_expired where it is right
 *   and too old: nothing was done, and a fresh one will pass
 */
export function verify(request: Signed, signature: string | undefined, secret: string, now: number): void {
  const time = authenticate(request, signature, secret);
  if (Math.abs(now - time) > VALIDITY) throw new UnavailableError("signature_expired", "the signature has expired");
}

/**
 * Whether one of the services has signed it, however long ago: for what may wait in a queue.
 * @returns when that was; milliseconds since 1970
 * @throws ForbiddenError where there is no signature or a wrong one
 */
export function authenticate(request: Signed, signature: string | undefined, secret: string): number {
  const [, time, given] = /^t=(\d{1,16}),v1=([0-9a-f]{64})$/.exec(signature ?? "") ?? [];
  if (time === undefined || given === undefined)
    throw new ForbiddenError("the signature of one of the services is missing");
  const text = textOf(request, Number(time));
  const own = unverified.get(text);
  unverified.delete(text);
  const expected = own?.secret === secret ? own.mac : macOf(text, secret);
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(given))) throw new ForbiddenError("the signature is wrong");
  return Number(time);
}

function textOf({ method, path, body }: Signed, time: number): string {
  return `${method}\n${path}\n${time}\n${body}`;
}

function macOf(text: string, secret: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}
