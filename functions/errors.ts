/**
 * What a request can be answered with besides a result. All of them have a `code` for programs, a `statusCode` for
 * HTTP, and `retryable`, which is true exactly where nothing was changed (or is being put back) and the same request
 * may be sent again.
 */
export abstract class ShopError extends Error {
  abstract readonly code: string;
  abstract readonly statusCode: number;
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The reasons for which the rules refuse a request; listed with their meaning in docs/errors.md. */
export type RefusalCode =
  | "amount_out_of_range"
  | "empty_order"
  | "insufficient_credit"
  | "insufficient_stock"
  | "invalid_body"
  | "invalid_event"
  | "invalid_id"
  | "invalid_idempotency_key"
  | "invalid_number"
  | "no_checkout"
  | "order_paid"
  | "saga_expired"
  | "step_compensated"
  | "too_many_items"
  | "unknown_item"
  | "unknown_order"
  | "unknown_user";

/**
 * The rules refuse the request. Nothing was changed, and the same request is refused again as long as the state is the
 * same.
 */
export class Refusal extends ShopError {
  readonly statusCode = 400;
  readonly retryable = false;
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a refusal says: as a marker keeps it, and as one service tells it to another. */
export interface Reason {
  readonly code: RefusalCode;
  readonly message: string;
}

/** The order's checkout is running, so whoever would add to the order or overwrite it has to wait. */
export class CheckoutRunningError extends ShopError {
  readonly code = "checkout_running";
  readonly statusCode = 409;
  readonly retryable = true;
}

/** The Idempotency-Key was used for another request before. */
export class IdempotencyKeyReusedError extends ShopError {
  readonly code = "idempotency_key_reused";
  readonly statusCode = 422;
  readonly retryable = false;
}

/** A route between the services was called without a signature, or with a wrong one. */
export class ForbiddenError extends ShopError {
  readonly code = "forbidden";
  readonly statusCode = 403;
  readonly retryable = false;
}

/** The request belongs to another function: it was sent to this one by a load balancer's rule. */
export class UnknownPathError extends ShopError {
  readonly code = "unknown_path";
  readonly statusCode = 404;
  readonly retryable = false;
}

/** The service cannot answer now and has changed nothing, or has a rollback under way that will finish by itself. */
export class UnavailableError extends ShopError {
  readonly statusCode = 503;
  readonly retryable = true;
  readonly code: "checkout_aborted" | "checkout_pending" | "service_unavailable" | "signature_expired";

  constructor(code: UnavailableError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another service did not answer in time or broke off. It is not known whether it did what it was asked. */
export class AmbiguousError extends ShopError {
  readonly code = "outcome_unknown";
  readonly statusCode = 504;
  readonly retryable = false;
}
