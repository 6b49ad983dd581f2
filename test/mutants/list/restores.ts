/** How log-replay restores: who, when, and from what. */
import { inLayer, type Mutant } from "../mutant.ts";

const log = inLayer("log-replay");

const RESTORING = "log-replay/test/recover/restoring";
const REPLAY = "log-replay/test/recover/replay";
const COMPACT_CRASH = "log-replay/test/compact/compact-crash";
const CHECK = "log-replay/test/redis/server-check";

export const RESTORES: readonly Mutant[] = [
  log({
    what: "what Redis held before stays",
    file: "recover/recovery.ts",
    before: `      ["flushdb", "async"],\n`,
    after: "",
    promise: "A restore gives the same state from the same log",
    tests: REPLAY,
    name: "nothing that Redis held before stays",
  }),
  log({
    what: "the last chunk of a replay is not sent",
    file: "recover/replay.ts",
    before: "      );\n    await send();\n",
    after: "      );\n",
    promise: [
      "A restore gives the same state from the same log",
      "all processes and Redis at once",
      "all processes at once",
    ],
    tests: REPLAY,
    name: "twice into an empty Redis",
  }),
  log({
    what: "a replay goes on where its lock was lost",
    file: "recover/lock.ts",
    before: "if (holder === textIn(this.#token, this.#writes) && replid === this.dataset.replid) return;",
    after: "if (replid === this.dataset.replid) return;",
    promise: "the process that restores dies or stalls",
    tests: RESTORING,
    name: "a lock that",
  }),
  log({
    what: "the lock of a restore is never taken over",
    file: "recover/recovery.ts",
    before: "found.held === null || patience.isOverWith(found.held);",
    after: "found.held === null;",
    promise: "the process that restores dies or stalls",
    tests: "log-replay/test/commit/processes",
    name: "a process killed by SIGKILL in the middle of a restore",
  }),
  log({
    what: "an epoch is taken though somebody else has claimed it",
    file: "recover/recovery.ts",
    before: "if (!(await store.claim(next))) throw",
    after: "if (!(await store.claim(next)) && next === 0) throw",
    promise: "two processes restore at once",
    tests: RESTORING,
    name: "two recoverers at once",
  }),
  log({
    what: "everybody takes the lock of a restore",
    file: "recover/recovery.ts",
    before: "const isFree = found.held === null ||",
    after: "const isFree = found.held !== undefined ||",
    promise: "100 processes find an empty Redis at once",
    tests: "log-replay/test/recover/crowd",
    name: "100 processes on a slow store",
  }),
  log({
    what: "each process reads the log for the answer that it has lost",
    file: "commit/outcome.ts",
    before: "if (told !== null) return { told };\n",
    after: "",
    promise: "100 processes find an empty Redis at once",
    tests: "log-replay/test/commit/lost-exec",
    name: "as the restore tells: the log is not read for it",
  }),
  log({
    what: "who waits for a restore counts the time in which nobody could run",
    file: "recover/recovery.ts",
    before: "      await sleep(wait);\n      patience.waits(wait);",
    after: "      const from = Date.now();\n      await sleep(wait);\n      patience.waits(Date.now() - from);",
    promise: "the process that restores dies or stalls",
    tests: "log-replay/test/recover/lock",
    name: "the machine stands still for longer than that",
  }),
  log({
    what: "who waits for a restore looks whether the guard's epoch is sealed",
    file: "recover/recovery.ts",
    before: "      const fine = fineEpoch(found, options.store, overEpoch);\n",
    after: "      await options.store.isSealed(1);\n      const fine = fineEpoch(found, options.store, overEpoch);\n",
    promise: "100 processes find an empty Redis at once",
    tests: "log-replay/test/recover/restoring",
    name: "asks the store for nothing",
  }),
  log({
    what: "who restores gives a sign of life at every second beat only",
    file: "recover/lock.ts",
    before: "now - this.#renewed < this.#ttl / 8",
    after: "now - this.#renewed < this.#ttl / 4",
    promise: "the process that restores dies or stalls",
    tests: "log-replay/test/recover/lock",
    name: "is renewed at every quarter",
  }),
  log({
    what: "the lock of a server that is full is kept by whoever has given up",
    file: "recover/lock.ts",
    before: '        await this.#connection.pipeline([["unwatch"], ["pexpire", LOCK, life]]);\n',
    after: '        await this.#connection.pipeline([["unwatch"]]);\n',
    promise: "restores fail, again and again",
    tests: "log-replay/test/recover/lock",
    name: "of a server that is full",
  }),
  log({
    what: "a restore opens one segment after the other",
    file: "read/merge.ts",
    before: "const OPENED_AHEAD = 32;",
    after: "const OPENED_AHEAD = 0;",
    promise: "100 processes find an empty Redis at once",
    tests: "log-replay/test/read/merge",
    name: "are opened ahead",
  }),
  log({
    what: "a restore that failed is tried again at once",
    file: "recover/recovery.ts",
    before: "await lock.holdBack(pause).catch(() => undefined);",
    after: "await lock.release().catch(() => undefined);",
    promise: "restores fail, again and again",
    tests: "log-replay/test/recover/many",
    name: "a restore that fails is tried again less and less often",
  }),
  log({
    what: "epochs in which nothing was committed are part of the history",
    file: "protocol.ts",
    before: "history.findLast(({ from, to }) => from < to)",
    after: "history.findLast(({ from, to }) => from <= to)",
    promise: "restores fail, again and again",
    tests: "log-replay/test/recover/many",
    name: "10,000 of them",
  }),
  log({
    what: "a restore does not look whether a snapshot was installed meanwhile",
    file: "recover/survey.ts",
    before: `  if (!(await isNewest(store, snapshot))) throw new GoneError("a newer snapshot was installed meanwhile");\n`,
    after: "",
    promise: "A restore gives the same state from the same log",
    tests: COMPACT_CRASH,
    name: "folded and archived, all of it",
  }),
  log({
    what: "segments are archived before the snapshot is in place",
    file: "compact/compact.ts",
    before: "  if (commits > 0) {\n",
    after: "  await store.archive(segments);\n  if (commits > 0) {\n",
    promise: [
      "A restore gives the same state from the same log",
      "all processes and Redis at once",
      "all processes at once",
    ],
    tests: COMPACT_CRASH,
    name: "no segment is archived before a snapshot",
  }),
  log({
    what: "what is folded may still be cut off",
    file: "protocol.ts",
    before: "return last > 0 && !sealed;",
    after: "return last > 0;",
    promise: "A restore gives the same state from the same log",
    tests: "log-replay/test/compact/compact\\.test",
    name: "nothing while an epoch is claimed",
  }),
  log({
    what: "a late record of a sealed epoch counts",
    file: "protocol.ts",
    before: "    to = begin.cut;\n",
    after: "    to = Infinity;\n",
    promise: "The log is a prefix of the history",
    tests: "log-replay/test/(protocol|recover/sealed-epochs)",
  }),
];

const unfit = (what: string, before: string, after: string, name: string): Mutant =>
  log({
    what,
    file: "redis/server-check.ts",
    before,
    after,
    promise: "Redis cannot carry the state",
    tests: CHECK,
    name,
  });

/** Looked at before anything is claimed. */
export const SERVERS: readonly Mutant[] = [
  unfit(
    "an older Redis is taken",
    "if (!(Number.parseInt(version) >= OLDEST_VERSION))",
    "if (OLDEST_VERSION === 0)",
    "older than 7",
  ),
  unfit(
    "a Redis that throws keys away is taken",
    `if (policy !== "noeviction")`,
    `if (policy === "")`,
    "a Redis that throws keys away",
  ),
  unfit(
    "too little memory is taken",
    "if (needed > limit && ",
    "if (needed < 0 && ",
    "for the snapshot is seen before",
  ),
  unfit(
    "permissions are not asked for",
    "  await assertPermitted(connection, probes(use));\n",
    "",
    "all that is missing is told at once",
  ),
  log({
    what: "a replica is restored into",
    file: "redis/server-check.ts",
    before: `if (info.get("role") === "slave")`,
    after: `if (info.get("role") === "")`,
    promise: "Redis cannot carry the state",
    tests: "log-replay/test/tools/restore-to",
    name: "a replica is refused",
  }),
];
