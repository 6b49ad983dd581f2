/**
 * What can be wrong with the log or with the state that is kept from it. The same two facts as of an OccError of redis-occ.
 *
 * @example
 * if (error instanceof LogError && !error.transient) console.error("somebody has to help", error.code, error.message);
 */
export abstract class LogError extends Error {
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
 * The log is damaged in a place where a crash cannot have torn it. The service stops: wrong state is worse than none.
 *
 * @example
 * if (error instanceof LogDamageError) console.error(`${error.file}:${error.line}: ${error.what}`); // npx log-replay repair
 */
export class LogDamageError extends LogError {
  readonly code = "log_damaged";
  readonly unchanged = true;
  readonly transient = false;
  readonly file: string;
  /** Number of the line in the file, from 1; 0 if the damage is in no single line. */
  readonly line: number;
  readonly what: string;

  constructor(file: string, line: number, what: string) {
    super(`${file}${line > 0 ? `:${line}` : ""}: ${what}`);
    this.file = file;
    this.line = line;
    this.what = what;
  }
}

/**
 * The log store cannot be used now: its disk is full, its folder gone or read-only. Not transient where somebody has to
 * help: a bucket that does not exist, credentials or permissions that do not suffice.
 *
 * @example
 * const status = error instanceof StoreUnavailableError && error.transient ? 503 : 500;
 */
export class StoreUnavailableError extends LogError {
  readonly code = "log_unavailable";
  readonly unchanged = true;
  readonly transient: boolean;

  constructor(message: string, { transient, ...options }: ErrorOptions & { readonly transient?: boolean } = {}) {
    super(message, options);
    this.transient = transient ?? !DENIED.test(String((this.cause as { code?: unknown } | undefined)?.code));
  }
}

/** What the operating system says to who may not. */
const DENIED = /^(EACCES|EPERM)$/;

/**
 * What was to be read has been compacted away meanwhile. The newest snapshot holds it, so the reader starts again from
 * there.
 *
 * @example
 * const segments = error instanceof GoneError ? await store.segments() : []; // listed anew: what was read is in the snapshot now
 */
export class GoneError extends LogError {
  readonly code = "log_gone";
  readonly unchanged = true;
  readonly transient = true;
}

/**
 * The store is not the one that belongs to this Redis: a wrong folder was mounted, or a wrong Redis configured.
 *
 * @example
 * if (error instanceof StoreMismatchError) console.error("a wrong folder, or a wrong Redis", error.message);
 */
export class StoreMismatchError extends LogError {
  readonly code = "log_mismatch";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * The log was written by a newer version, in a format that this one does not know, or it has hashes and this process was not told
 * that (`hashes` of `LoggedRedis`). Nothing was claimed, truncated or changed.
 *
 * @example
 * if (error instanceof FormatError) console.error("a newer log-replay wrote it", error.message);
 */
export class FormatError extends LogError {
  readonly code = "log_format";
  readonly unchanged = true;
  readonly transient = false;
}

/**
 * The state is being restored, and the caller's time is up.
 *
 * @example
 * const answer = error instanceof RestoringError ? { statusCode: 503, headers: { "Retry-After": "1" } } : { statusCode: 500 };
 */
export class RestoringError extends LogError {
  readonly code = "restoring";
  readonly unchanged = true;
  readonly transient = true;
}

/**
 * This Redis cannot carry the state, however long one waits: somebody has to change it, or to name another one. What each
 * connection meets (address, database, cluster mode, permissions) is an error of redis-occ. Nothing was claimed or changed.
 *
 * @example
 * if (error instanceof ServerUnfitError) console.error(error.code, error.message); // redis_policy: CONFIG SET maxmemory-policy noeviction
 */
export class ServerUnfitError extends LogError {
  readonly code: "redis_memory" | "redis_policy" | "redis_version";
  readonly unchanged = true;
  readonly transient = false;

  constructor(code: ServerUnfitError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The server is a replica: it takes no writes until it is promoted, or the address leads to another one. Nothing was claimed.
 *
 * @example
 * if (error instanceof ReplicaError) await retry(() => state.ready()); // until it is promoted
 */
export class ReplicaError extends LogError {
  readonly code = "redis_replica";
  readonly unchanged = true;
  readonly transient = true;
}
