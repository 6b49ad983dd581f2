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

/** `t=<milliseconds since 1970>,v1=<HMAC-SHA256>` over method, path, time and body. */
export function sign(request: Signed, secret: string, now: number): string {
  return `t=${now},v1=${mac(request, secret, now)}`;
}

/**
 * @throws ForbiddenError where there is no signature or a wrong one; UnavailableError signature_expired where it is right
 *   and too old: nothing was done, and a fresh one will pass
 */
export function verify(request: Signed, signature: string | undefined, secret: string, now: number): void {
  const [, time, given] = /^t=(\d{1,16}),v1=([0-9a-f]{64})$/.exec(signature ?? "") ?? [];
  if (time === undefined || given === undefined) throw new ForbiddenError("this route is for the other services");
  const expected = Buffer.from(mac(request, secret, Number(time)), "hex");
  if (!timingSafeEqual(expected, Buffer.from(given, "hex"))) throw new ForbiddenError("the signature is wrong");
  if (Math.abs(now - Number(time)) > VALIDITY) throw new UnavailableError("signature_expired", "the signature has expired");
}

function mac({ method, path, body }: Signed, secret: string, time: number): string {
  return createHmac("sha256", secret).update(`${method}\n${path}\n${time}\n${body}`).digest("hex");
}
