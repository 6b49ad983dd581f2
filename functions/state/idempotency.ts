import type { View } from "redis-occ";
import { IdempotencyKeyReusedError } from "../errors.ts";

/** A caller's Idempotency-Key, and the request that it stands for. */
export interface Idempotency {
  readonly key: string;
  /** Method and path: there are no bodies on the routes that take a key. */
  readonly request: string;
  /** When the request came; milliseconds since 1970. */
  readonly at: number;
}

/** What is kept of the first request with a key: enough to give its answer again. */
export interface Remembered<K = unknown> {
  readonly request: string;
  readonly at: number;
  readonly kept: K;
}

/** Prefix of the records. It is indexed, because they are deleted after the retention. */
export const IDEMPOTENCY = "idempotency:";

export const idempotencyKey = (key: string): string => `${IDEMPOTENCY}${key}`;

/** What was kept for the key; null where it is new. @throws IdempotencyKeyReusedError */
export function recall<K>(view: View, { key, request }: Idempotency): K | null {
  const first = view.get<Remembered<K>>(idempotencyKey(key));
  if (first !== null && first.request !== request) {
    throw new IdempotencyKeyReusedError(`the Idempotency-Key was used for ${first.request}`);
  }
  return first?.kept ?? null;
}

/** The row that keeps something for the key. Written in the same transaction as the request's effect. */
export function remember<K>(
  { key, request, at }: Idempotency,
  kept: K,
): readonly [readonly [key: string, row: Remembered<K>]] {
  return [[idempotencyKey(key), { request, at, kept }]];
}
