/**
 * What a call can end with, besides a result and an error of the caller's own rule. Two facts are told of each:
 * whether anything was changed, and whether the same call may succeed by itself a little later.
 *
 * @example
 * try {
 *   await occ.transact(["seats"], book);
 * } catch (error) {
 *   if (error instanceof OccError && !error.unchanged) await lookWhetherItStands();
 *   throw error;
 * }
 */
export abstract class OccError extends Error {
  /** Names the class where `instanceof` cannot be asked: in a log, behind HTTP, in another copy of this package. */
  abstract readonly code: string;
  /** True exactly where the call is known to have changed nothing, now or later. */
  abstract readonly unchanged: boolean;
  /** True where what stood in the way may pass without anybody's help. */
  abstract readonly transient: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }

  /** Both facts: the same call may simply be made again, and that has a prospect. */
  get retryable(): boolean {
    return this.unchanged && this.transient;
  }
}

/**
 * Other clients changed the keys during each of `attempts` attempts. Nothing was changed.
 *
 * @example
 * if (error instanceof ConflictError) console.warn(`a hot key: ${error.attempts} attempts were not enough`);
 */
export class ConflictError extends OccError {
  readonly code = "conflict";
  readonly unchanged = true;
  readonly transient = true;
  readonly attempts: number;

  constructor(attempts: number) {
    super(`other clients changed the same keys during each of ${attempts} attempts`);
    this.attempts = attempts;
  }
}

/**
 * The deadline passed before EXEC was sent. Nothing was changed. `cause` says what stood in the way, if anything.
 *
 * @example
 * if (error instanceof TimeoutError) console.warn("no answer in time", error.cause);
 */
export class TimeoutError extends OccError {
  readonly code = "timeout";
  readonly unchanged = true;
  readonly transient: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.transient = !(this.cause instanceof OccError) || this.cause.transient;
  }
}

/**
 * The caller's signal was aborted before EXEC was sent; its reason is the `cause`. Nothing was changed.
 *
 * @example
 * if (error instanceof AbortedError) console.info("the caller went away", error.cause);
 */
export class AbortedError extends OccError {
  readonly code = "aborted";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * Redis cannot be reached, or the connection broke before EXEC was sent. Nothing was changed.
 *
 * @example
 * const isDown = error instanceof TimeoutError && error.cause instanceof ConnectionLostError;
 */
export class ConnectionLostError extends OccError {
  readonly code = "connection_lost";
  readonly unchanged = true;
  /** False for a certificate that is not trusted: no later handshake comes out otherwise. */
  readonly transient: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.transient = !UNTRUSTED.test(String((this.cause as { code?: unknown } | undefined)?.code));
  }
}

/** Codes of Node for a certificate that it does not accept. */
const UNTRUSTED = /CERT|^ERR_TLS|^UNABLE_TO_VERIFY|^EPROTO$|^ERR_SSL/;

/** Replies of Redis about its present state: of memory, of a failover, of a start, of a script that runs, of its disk. */
const PASSING =
  /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|NOREPLICAS|MISCONF|TRYAGAIN|CLUSTERDOWN|UNKILLABLE|FAILOVER|NOSCRIPT|ERR max number of clients)/;

/**
 * Redis refused the commands before it ran any of them. Nothing was changed. Out of memory, read-only and the like pass;
 * a command that it does not know does not.
 *
 * @example
 * if (error instanceof ServerRefusedError && error.transient) console.warn("Redis is full, or starts", error.message);
 */
export class ServerRefusedError extends OccError {
  readonly code = "server_refused";
  readonly unchanged = true;
  readonly transient: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    const reply = this.cause instanceof Error ? this.cause.message : message;
    this.transient = PASSING.test(reply);
  }
}

/**
 * A key holds another type of value than the rule, the read or the write needs. Nothing was changed.
 *
 * @example
 * if (error instanceof WrongTypeError) console.error(`who made ${error.key} a ${error.found}?`);
 */
export class WrongTypeError extends OccError {
  readonly code = "wrong_type";
  readonly unchanged = true;
  readonly transient = false;
  readonly key: string;
  /** As Redis calls it: `hash`, `list`, `set`, `zset`, `stream`, `string`, or a module's name for its type. */
  readonly found: string;

  constructor(key: string, found: string, expected: string) {
    super(`${key} holds a ${found}, not a ${expected}`);
    this.key = key;
    this.found = found;
  }
}

/**
 * The text under a key cannot be decoded: some other program wrote it. Nothing was changed.
 *
 * @example
 * if (error instanceof DecodeError) console.error(`who wrote ${error.key}?`, error.cause);
 */
export class DecodeError extends OccError {
  readonly code = "undecodable";
  readonly unchanged = true;
  readonly transient = false;
  readonly key: string;
  /** Of a hash; undefined where the key holds a string. */
  readonly field: string | undefined;

  constructor(key: string, { field, ...options }: ErrorOptions & { readonly field?: string }) {
    const { cause } = options;
    const what = field === undefined ? key : `the field ${field} of ${key}`;
    super(`the value of ${what} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, options);
    this.key = key;
    this.field = field;
  }
}

/**
 * The address of Redis cannot be read, what it names as the database is no number, or what answers there is no Redis. Waiting does
 * not help.
 *
 * @example
 * if (error instanceof AddressError) throw new Error(`REDIS_URL: ${error.message}`, { cause: error });
 */
export class AddressError extends OccError {
  readonly code = "redis_address";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * The server does not have the database that the address names, or does not let this user select it.
 *
 * @example
 * if (error instanceof DatabaseError) console.error("name another one, or raise `databases` of redis.conf", error.message);
 */
export class DatabaseError extends OccError {
  readonly code = "redis_database";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * The server is a node of a cluster: a transaction cannot span its keys. Waiting does not help.
 *
 * @example
 * if (error instanceof ClusterError) console.error("name a Redis that stands alone", error.message);
 */
export class ClusterError extends OccError {
  readonly code = "redis_cluster";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * The server does not let this user in, or does not let it run what is needed: a wrong password, missing permissions.
 *
 * @example
 * if (error instanceof AccessError) console.error("look at the password, and at the ACL", error.message);
 */
export class AccessError extends OccError {
  readonly code = "redis_access";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * A command that a rule added failed inside EXEC, which does not roll back: what the rule set stands, and its other commands ran.
 * Other transactions are not concerned.
 *
 * @example
 * // CommandFailedError where "board" holds no sorted set; `seats` is 9 all the same.
 * await occ.transact([], () => ({ result: null, set: { seats: 9 }, commands: [["zadd", "board", 120, "ann"]] }));
 */
export class CommandFailedError extends OccError {
  readonly code = "command_failed";
  readonly unchanged = false;
  readonly transient = false;
}

/**
 * EXEC was sent and what became of it could not be learnt in time: the effect may stand or not.
 * Repeat it only where the transaction itself notices that it has run before (`once` does, or a marker among its keys).
 *
 * @example
 * const first = await occ.once(request.id, ["seats"], book).catch((error: unknown) => {
 *   if (error instanceof OutcomeUnknownError) return occ.once(request.id, ["seats"], book); // runs only where the first one did not
 *   throw error;
 * });
 */
export class OutcomeUnknownError extends OccError {
  readonly code = "outcome_unknown";
  readonly unchanged = false;
  readonly transient = false;
}

/**
 * The client was closed. Nothing was changed.
 *
 * @example
 * if (error instanceof ClosedError) console.info("asked after close()");
 */
export class ClosedError extends OccError {
  readonly code = "closed";
  readonly unchanged = true;
  readonly transient = false;

  constructor() {
    super("the client is closed");
  }
}

/**
 * The error if it belongs to the family. Otherwise it is wrapped as a lost connection, for which ioredis has no class
 * of its own.
 */
export function asOccError(error: unknown): OccError {
  if (error instanceof OccError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!isServerReply(error)) return new ConnectionLostError(message, { cause: error });
  if (/^(?:EXECABORT .*: )?(?:NOAUTH|WRONGPASS|NOPERM)\b/.test(message))
    return new AccessError(message, { cause: error });
  return new ServerRefusedError(message, { cause: error });
}

/** True for an error that Redis itself sent as a reply; false for one that arose on the way there. */
export function isServerReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/**
 * Redis refused a command, and will again, or it is too long to be sent: whoever did not ask for that one may fare better alone.
 */
export function isRefusedForGood(error: unknown): boolean {
  if (error instanceof RangeError) return true;
  return (error instanceof ServerRefusedError || error instanceof AccessError) && !error.transient;
}
