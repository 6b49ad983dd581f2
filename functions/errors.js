/**
 * What a request can be answered with besides a result. One family: `code` for programs, `statusCode` for HTTP, and
 * `retryable`: true exactly where nothing was changed (or is being put back) and the same request may be sent again.
 */
export class ShopError extends Error {
    constructor(message, options) {
        super(message, options);
        this.name = new.target.name;
    }
}
/** The rules refuse: nothing was changed, and the same request is refused again as long as the state is the same. */
export class Refusal extends ShopError {
    statusCode = 400;
    retryable = false;
    code;
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}
/** The order's checkout is running: adding to it or overwriting it has to wait. */
export class CheckoutRunningError extends ShopError {
    code = "checkout_running";
    statusCode = 409;
    retryable = true;
}
/** The Idempotency-Key was used for another request before. */
export class IdempotencyKeyReusedError extends ShopError {
    code = "idempotency_key_reused";
    statusCode = 422;
    retryable = false;
}
/** A route between the services was called without a signature, or with a wrong one. */
export class ForbiddenError extends ShopError {
    code = "forbidden";
    statusCode = 403;
    retryable = false;
}
/** The service cannot answer now and has changed nothing, or has a rollback under way that will finish by itself. */
export class UnavailableError extends ShopError {
    statusCode = 503;
    retryable = true;
    code;
    constructor(code, message, options) {
        super(message, options);
        this.code = code;
    }
}
/** Another service did not answer in time, or broke off: whether it did what it was asked is not known. */
export class AmbiguousError extends ShopError {
    code = "outcome_unknown";
    statusCode = 504;
    retryable = false;
}
//# sourceMappingURL=errors.js.map