/** Keys that end: what is committed, restored, folded and told of them. */
import { against, type Mutant } from "../mutant.ts";

const PROMISE = "A key with a time to live ends at the instant that its record names";
const COMMIT = "log-replay/test/commit/expiry";
const COMPACT = "log-replay/test/compact/expiry";
const TOOLS = "log-replay/test/tools/expiry";

const occ = against("redis-occ", PROMISE, COMMIT);
const commit = against("log-replay", PROMISE, COMMIT);
const fold = against("log-replay", PROMISE, COMPACT);
const tool = (promise: string) => against("log-replay", promise, TOOLS);

export const EXPIRY: readonly Mutant[] = [
  occ(
    "a key that is set again loses its end",
    "ends.ts",
    "kept.length > 0 ? await lane.endsOf(kept) : []",
    "[]",
    "keeps its end, until",
  ),
  occ(
    "an end that is kept is not watched",
    "watch-lane.ts",
    `this.connection.pipeline([["watch", ...keys], ...asked])`,
    `this.connection.pipeline([["echo", ""], ...asked])`,
    "what another process makes of an end",
  ),
  occ(
    "Redis counts from its own clock",
    "put-commands.ts",
    `"PXAT", end]`,
    `"PX", end - Date.now() + 5]`,
    "Redis is told the same",
  ),
  commit(
    "a record does not say when its keys end",
    "commit/log-hook.ts",
    "encodeBody(at, tx, write.meta as string, images, write.ends, hashes)",
    "encodeBody(at, tx, write.meta as string, images)",
    "brings back those",
  ),
  commit(
    "what is restored stays",
    "recover/replay.ts",
    `["set", key, value, "PXAT", end]`,
    `["set", key, value]`,
    "with the rest of their lives",
  ),
  commit(
    "an epoch in which keys cannot end goes on",
    "commit/log-hook.ts",
    "if (needed > writer.format) {",
    "if (needed > writer.format && epoch === 0) {",
    "begins an epoch of the second format",
  ),
  commit(
    "the next epoch is of the first format again",
    "recover/begin.ts",
    "Math.max(inherited, neededFormat(permits))",
    "neededFormat(permits) + 0 * inherited",
    "it is left no more",
  ),
  commit(
    "an index lists what ends",
    "redis/indexes.ts",
    `return typeof value === "string" && (end ?? null) === null;`,
    `return typeof value === "string" || end === 0;`,
    "is in no index",
  ),
  fold(
    "a restore puts what has ended into Redis",
    "recover/replay.ts",
    "end !== null && end <= this.#now ? null : change",
    "change",
    "is left out by a restore",
  ),
  fold(
    "a snapshot forgets when keys end",
    "compact/changes.ts",
    "    if (end !== null) (this.#ends ??= new Map()).set(key, end);\n",
    "",
    "a snapshot keeps instants",
  ),
  fold(
    "a snapshot leaves out what ended a moment ago",
    "format/long-ended.ts",
    "end <= now - LONG",
    "end <= now",
    "a snapshot keeps instants",
  ),
  fold(
    "a snapshot goes by the clock of who makes it",
    "compact/encode-snapshot.ts",
    "changes.records(time)",
    "changes.records(now.getTime())",
    "by the log's time",
  ),
  tool("`diff(store, url)`")(
    "only values are compared",
    "tools/diff.ts",
    "a.end === b.end && ",
    "",
    "one that ends at another instant",
  ),
  tool("`restoreTo({ store, moment, url?, indexes? })`")(
    "a key that has its former value keeps its present end",
    "tools/restore-to.ts",
    "a.end === b.end && ",
    "",
    "when it was to end then",
  ),
  tool("`adopt({ url, store, expiry?, hashes? })`")(
    "what is adopted stays",
    "tools/adopt.ts",
    "      ends.set(key, life);\n",
    "",
    "adopt takes keys over",
  ),
  against("log-replay", "`stateAt(store, { n?, at? })`", "log-replay/test/(format/versions|read/snapshot)")(
    "the state has keys that had ended",
    "read/history.ts",
    "end !== null && end <= then ? null",
    "end === -1 ? null",
    "what had ended by then is not in it",
  ),
];
