/** The keys in Redis that belong to the log itself. All else in the database is the state. */
export const GUARD = "log:guard";
/** Stream of the commits of this epoch that may not be durable yet; its ids are `epoch-n`. */
export const TAIL = "log:tail";
/** The number of the state's last commit: what the stream counts too, at the price of a plain key. */
export const LAST = "log:last";
/**
 * Held by the process that restores. Its value is the token of that one attempt, which fences every write of the
 * restore.
 */
export const LOCK = "log:lock";
/** A hint that somebody is appending the tail for all. It expires by itself. */
export const TURN = "log:turn";
/** The identity of the log that the database was restored from, also while it is half restored. */
export const STORE = "log:store";
/** What a restore tells of the last commits before it. It expires by itself. */
export const RECORDED = "log:recorded";

/** The field of a tail entry that holds the record's body. */
export const BODY = "r";

/**
 * The sorted set of the present keys with a prefix, by the time of their last write. It is derived: a replay makes it
 * again.
 */
export function indexKey(prefix: string): string {
  return `log:index:${prefix}`;
}

/**
 * Whether a key is the log's or the transaction client's own, and so not part of the state.
 *
 * @example
 * const own = keys.filter((key) => !isInternal(key)); // of SCAN
 */
export function isInternal(key: string): boolean {
  return key.startsWith("log:") || key.startsWith("occ:");
}
