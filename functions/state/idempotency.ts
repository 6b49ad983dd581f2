import type { View } from "redis-occ";
import { IdempotencyKeyReusedError } from "../errors.ts";
import type { Answer } from "../http/answer.ts";
import { retention } from "../settings/configuration.ts";

/** A caller's Idempotency-Key, and the request that it stands for. */
export interface Idempotency {
  readonly key: string;
  /** Method and path, in their one form: there are no bodies on the routes that take a key. */
  readonly request: string;
  /** When the request came; milliseconds since 1970. */
  readonly at: number;
}

/** What is kept for a key: an answer, or the name of what will have it, where that is under way. */
export type Kept = Answer | { readonly pending: string };

/** What is kept of the first request with a key: enough to give its answer again. */
export interface Remembered {
  readonly request: string;
  readonly at: number;
  readonly kept: Kept;
}

/** Prefix of the records. It is indexed, because they are deleted after the retention. */
export const IDEMPOTENCY = "idempotency:";

export const idempotencyKey = (key: string): string => `${IDEMPOTENCY}${key}`;

/**
 * What was kept for the key; null where it is new, or its record past the retention and only not deleted yet.
 * @throws IdempotencyKeyReusedError
 */
export function recall(view: Pick<View, "get">, { key, request, at }: Idempotency): Kept | null {
  const first = view.get<Remembered>(idempotencyKey(key));
  if (first === null || first.at < at - retention()) return null;
  if (first.request !== request)
    throw new IdempotencyKeyReusedError(`the Idempotency-Key was used for ${first.request}`);
  return first.kept;
}

/** The row that keeps something for the key. Written in the same transaction as the request's effect. */
export function remember({ key, request, at }: Idempotency, kept: Kept): readonly [key: string, row: Remembered] {
  return [idempotencyKey(key), { request, at, kept }];
}
