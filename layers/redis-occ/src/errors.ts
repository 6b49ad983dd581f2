/**
 * What a transaction can end with, besides a result and an error of the caller's own rule.
 *
 * `retryable` answers one question: may the caller simply do it again? It is `true` exactly if the transaction is known
 * to have changed nothing.
 */
export abstract class OccError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Other clients changed the keys during each of `attempts` attempts. Nothing was changed. */
export class ConflictError extends OccError {
  readonly code = "conflict";
  readonly retryable = true;
  readonly attempts: number;

  constructor(attempts: number) {
    super(`other clients changed the same keys during each of ${attempts} attempts`);
    this.attempts = attempts;
  }
}

/** The deadline passed before EXEC was sent. Nothing was changed. */
export class TimeoutError extends OccError {
  readonly code = "timeout";
  readonly retryable = true;
}

/** Redis cannot be reached, or the connection broke before EXEC was sent. Nothing was changed. */
export class ConnectionLostError extends OccError {
  readonly code = "connection_lost";
  readonly retryable = true;
}

/** Redis refused the commands before it ran any of them (out of memory, read-only). Nothing was changed. */
export class ServerRefusedError extends OccError {
  readonly code = "server_refused";
  readonly retryable = true;
}

/** The address of Redis cannot be read, or what it names as the database is no number. Waiting does not help. */
export class AddressError extends OccError {
  readonly code = "redis_address";
  readonly retryable = false;
}

/** The server does not have the database that the address names, or does not let this user select it. */
export class DatabaseError extends OccError {
  readonly code = "redis_database";
  readonly retryable = false;
}

/** The server is a node of a cluster: a transaction cannot span its keys. Waiting does not help. */
export class ClusterError extends OccError {
  readonly code = "redis_cluster";
  readonly retryable = false;
}

/** The server does not let this user in, or does not let it run what is needed: a wrong password, missing permissions. */
export class AccessError extends OccError {
  readonly code = "redis_access";
  readonly retryable = false;
}

/**
 * EXEC was sent, and nobody could learn in time what became of it: the effect may stand or not. Repeat the transaction
 * only if it can itself tell that it has run before (by a marker among its keys).
 */
export class OutcomeUnknownError extends OccError {
  readonly code = "outcome_unknown";
  readonly retryable = false;
}

/** The client was closed. Nothing was changed. */
export class ClosedError extends OccError {
  readonly code = "closed";
  readonly retryable = false;

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
