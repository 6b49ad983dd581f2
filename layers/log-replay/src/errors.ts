/**
 * What can be wrong with the log or with the state that is kept from it.
 *
 * `retryable` is true where nothing was changed and a later try may succeed without anybody's help.
 */
export abstract class LogError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The log is damaged in a place where a crash cannot have torn it. The service stops: wrong state is worse than none. */
export class LogDamageError extends LogError {
  readonly code = "log_damaged";
  readonly retryable = false;
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

/** The log store cannot be used now: its disk is full, its folder gone or read-only. */
export class StoreUnavailableError extends LogError {
  readonly code = "log_unavailable";
  readonly retryable = true;
}

/**
 * What was to be read has been compacted away meanwhile. The newest snapshot holds it, so the reader starts again from
 * there.
 */
export class GoneError extends LogError {
  readonly code = "log_gone";
  readonly retryable = true;
}

/** The store is not the one that belongs to this Redis: a wrong folder was mounted, or a wrong Redis configured. */
export class StoreMismatchError extends LogError {
  readonly code = "log_mismatch";
  readonly retryable = false;
}

/** The log was written by a newer version, in a format that this one does not know. Nothing was claimed, cut or changed. */
export class FormatError extends LogError {
  readonly code = "log_format";
  readonly retryable = false;
}

/** The state is being restored, and the caller's time is up. */
export class RestoringError extends LogError {
  readonly code = "restoring";
  readonly retryable = true;
}

/**
 * This Redis cannot carry the state, however long one waits: somebody has to change it, or to name another one. What each
 * connection meets (address, database, cluster mode, permissions) is an error of redis-occ. Nothing was claimed or changed.
 */
export class ServerUnfitError extends LogError {
  readonly code: "redis_memory" | "redis_policy" | "redis_version";
  readonly retryable = false;

  constructor(code: ServerUnfitError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The server is a replica: it takes no writes until it is promoted, or the address leads to another one. Nothing was claimed. */
export class ReplicaError extends LogError {
  readonly code = "redis_replica";
  readonly retryable = true;
}
