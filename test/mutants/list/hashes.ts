/** Hashes: what is committed, restored, folded and told of them. */
import { against, type Mutant } from "../mutant.ts";

const LOGGED = "A hash has the fields that its records name, and no others";

const occ = against("redis-occ", "Hashes change field by field", "redis-occ/test/hashes");
const commit = against("log-replay", LOGGED, "log-replay/test/commit/hashes");
const fold = against("log-replay", LOGGED, "log-replay/test/compact/hashes");
const tool = (promise: string) => against("log-replay", promise, "log-replay/test/tools/hashes");

export const HASHES: readonly Mutant[] = [
  occ(
    "a later rule of the group sees the hash as it was read",
    "attempt.ts",
    "images.setHash(key, after);",
    "images.setHash(key, new Map([...after].slice(0, 0)));",
    "each goes on from what the one before it left",
  ),
  occ(
    "fields are removed before others are set",
    "put-commands.ts",
    `[...inParts(["hset", key], put), ...inParts(["hdel", key], removed)]`,
    `[...inParts(["hdel", key], removed), ...inParts(["hset", key], put)]`,
    "keeps its time to live",
  ),
  occ(
    "a hash that a string stands in place of is replaced",
    "write.ts",
    `if (found !== undefined && !(found === "hash" && value === null))`,
    `if (found !== undefined && found !== "hash")`,
    "a key of another type",
  ),
  against("redis-occ", LOGGED, "log-replay/test/commit/hashes")(
    "a deleted hash has its former fields when it begins again",
    "write.ts",
    "(isNew ? NO_FIELDS : read)",
    "(isNew ? read : read)",
    "a record says which fields",
  ),
  commit(
    "a hash that begins after one that has ended is not said whole",
    "commit/replayable.ts",
    "const isWhole = isNew || beyond.ttls.has(key);",
    "const isWhole = beyond.ttls.has(key);",
    "leaves nothing to the one that begins after it",
  ),
  commit(
    "a hash that is given more time is not said whole",
    "commit/replayable.ts",
    "const isWhole = isNew || beyond.ttls.has(key);",
    "const isWhole = isNew;",
    "all to the one that was given more time",
  ),
  commit(
    "who was not told of hashes goes on among them",
    "format/version.ts",
    "if (hashes === false && permitsOf(format).hashes)",
    "if (hashes === false && permitsOf(format - 1).hashes)",
    "whoever has it not refuses",
  ),
  fold(
    "removed fields stay after a restore",
    "recover/replay.ts",
    `    ...inParts(["hdel", key], removed),\n`,
    "",
    "in another chunk",
  ),
  fold(
    "a snapshot forgets fields that have not changed since",
    "compact/changes.ts",
    "return left.size > 0 ? left : null;",
    "return left.size > 99 ? left : null;",
    "a snapshot keeps of each hash",
  ),
  fold(
    "a snapshot keeps fields of a hash that was made anew",
    "compact/changes.ts",
    `|| typeof value === "string" || value.isWhole) return null;`,
    `|| typeof value === "string") return null;`,
    "a snapshot keeps of each hash",
  ),
  against("log-replay", LOGGED, "log-replay/test/format/record.property")(
    "an entry does not tell the hashes that it changes",
    "format/record.ts",
    `if (name === "set" || (name === "fields" && isAfterSet))`,
    `if (name === "set" && isAfterSet)`,
    "a replay takes each key",
  ),
  tool("`diff(store, url)`")(
    "hashes are not asked for",
    "tools/diff.ts",
    `hashes === true ? keys.map((key) => ["HGETALL", key] as const) : []`,
    `hashes === undefined ? keys.map((key) => ["HGETALL", key] as const) : []`,
    "finds a field that was changed",
  ),
  tool("`verify(store, { law? })`")(
    "fields of what is no hash pass",
    "tools/verify.ts",
    '        found.add("damage", file, number, `it changes fields of ${key}, ${held}`);\n',
    "        void held;\n",
    "finds fields that change of what is not there",
  ),
  tool("`restoreTo({ store, moment, url?, indexes? })`")(
    "fields that came later stay",
    "tools/restore-to.ts",
    "images, ends, hashes);\n      bytes",
    "new Map([...images].filter(([key]) => !hashes.has(key))), ends, hashes);\n      bytes",
    "a hash has the fields of then",
  ),
  tool("`adopt({ url, store, expiry?, hashes? })`")(
    "hashes are adopted without their fields",
    "tools/adopt.ts",
    "if (fields.size > 0) hashes.set(key, fields);",
    "if (fields.size > 0) hashes.set(key, new Map());",
    "takes hashes over",
  ),
];
