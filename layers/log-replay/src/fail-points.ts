/**
 * Named places at which a test may kill this process, delay it, or make it fail, as in redis-occ, whose hook this shares. The package
 * that is published does not export them.
 */
const holder = globalThis as { [hook: symbol]: ((name: string) => Promise<void>) | undefined };
const HOOK = Symbol.for("redis-occ.fail-points");

/** The places of this package; `disk` where a file system may fail as well, `drop` where an answer may be lost. */
export const LOG_FAIL_POINTS = {
  /** A frame is about to be written to the segment. */
  "append.before": "disk",
  /** It is written, and not synced. */
  "append.written": "disk",
  /** It is synced; if it is the segment's first, the segment's name is not. */
  "append.synced": "disk",
  /** The frame is durable, and its writer has yet to look whether its epoch still counts. */
  "append.after": "plain",
  /** It counts, and nobody has been told. */
  "append.confirmed": "plain",
  /** The lock of a restore is about to be taken. */
  "lock.before": "plain",
  /** It is taken. */
  "lock.after": "plain",
  /** The next epoch is about to be claimed. */
  "claim.before": "disk",
  /** The claim is there, and its folder is not synced. */
  "claim.created": "disk",
  /** The claim is durable. */
  "claim.after": "plain",
  /** What was read of the history is about to be synced. */
  "sync.before": "disk",
  /** It is durable. */
  "sync.after": "plain",
  /** A segment that ends in a torn frame is about to be truncated. */
  "truncate.before": "disk",
  /** Its copy is durable. */
  "truncate.copied": "disk",
  /** It is truncated. */
  "truncate.after": "plain",
  /** The epoch's begin is about to be written. */
  "begin.before": "disk",
  /** It is written under a name that nobody reads. */
  "begin.written": "disk",
  /** It has its own name, and its folder is not synced. */
  "begin.renamed": "disk",
  /** It is durable. */
  "begin.after": "plain",
  /** The database is about to be wiped. */
  "wipe.before": "plain",
  /** It is empty. */
  "wipe.after": "plain",
  /** A chunk of the history is about to be put into it. */
  "chunk.before": "plain",
  /** It is there. */
  "chunk.after": "plain",
  /** Everything is there except the guard, which makes it the state. */
  "guard.before": "plain",
  /** It is the state. */
  "guard.after": "plain",
} as const satisfies Readonly<Record<string, "plain" | "drop" | "disk">>;

/** Marks a place. Outside of tests no hook is set, and it costs one look at that. */
export function failPoint(name: keyof typeof LOG_FAIL_POINTS): Promise<void> | undefined {
  return holder[HOOK]?.(name);
}
