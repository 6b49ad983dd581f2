/** What a transaction may do whose record a replay repeats, and what that record says of it. */
import type { Beyond, Write } from "redis-occ";
import type { FieldChanges } from "../format/change.ts";
import { LAST_INSTANT } from "../format/long-ended.ts";
import type { Permits } from "../format/version.ts";
import { prefixOf } from "../redis/indexes.ts";
import { isInternal } from "../redis/keys.ts";

interface Bounds extends Permits {
  /** Prefixes of keys that are indexed: those neither end nor hold hashes. */
  readonly indexes: readonly string[];
  readonly now: () => Date;
}

/** @throws TypeError for what no replay would repeat */
export function assertReplayable(images: Write["images"], beyond: Beyond | undefined, bounds: Bounds): void {
  assertOwn(images.keys());
  if (beyond === undefined) return;
  const { ttls, hashes, commands } = beyond;
  const { expiry = false, indexes, now } = bounds;
  if (commands.length > 0) throw new TypeError("a logged transaction only sets values: it adds no commands");
  if (ttls.size > 0 && !expiry) throw new TypeError("times to live need the option expiry");
  for (const [key, ttl] of ttls) {
    if (ttl === null) continue;
    if (prefixOf(key, indexes) !== undefined) throw new TypeError(`${key} is indexed: it cannot have a time to live`);
    if (now().getTime() + ttl > LAST_INSTANT) throw new TypeError(`the ttl of ${key} is too long`);
  }
  if (hashes === undefined) return;
  if (bounds.hashes !== true) throw new TypeError("fields of hashes need the option hashes");
  assertOwn(hashes.keys());
  for (const key of hashes.keys())
    if (prefixOf(key, indexes) !== undefined) throw new TypeError(`${key} is indexed: it cannot be a hash`);
}

function assertOwn(keys: Iterable<string>): void {
  for (const key of keys)
    if (isInternal(key)) throw new TypeError(`${key} is not a key of the state: log:* and occ:* are reserved`);
}

/** What a record says that a transaction changes. */
export interface Changes {
  readonly images: ReadonlyMap<string, string | null>;
  /** Absent where no hash changes. */
  readonly hashes?: ReadonlyMap<string, FieldChanges>;
}

/**
 * A hash that begins or is given another end is deleted first, and then has all of its fields: a replay need not know whether a
 * former one had ended by then, and fields have ended with what the last record says.
 */
export function changesOf({ images, beyond }: Write): Changes {
  if (beyond?.hashes === undefined) return { images };
  const set = new Map(images);
  const hashes = new Map<string, FieldChanges>();
  for (const [key, { changed, after, isNew }] of beyond.hashes) {
    const isWhole = isNew || beyond.ttls.has(key);
    if (isWhole) set.set(key, null);
    hashes.set(key, isWhole ? after : changed);
  }
  return { images: set, hashes };
}
