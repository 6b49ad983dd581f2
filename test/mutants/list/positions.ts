/** Which state log-replay works on: data that are empty, older, of another server or of another log. */
import { inLayer, type Mutant } from "../mutant.ts";

const log = inLayer("log-replay");

const POSITIONS = "log-replay/test/recover/positions";
const FOREIGN = "log-replay/test/recover/foreign";

export const POSITION: readonly Mutant[] = [
  log({
    what: "a guard of another server process is believed",
    file: "protocol.ts",
    before: `  if (guard.run_id !== here.runId) return "restore";\n`,
    after: "",
    promise: "Redis, its data, an older copy put back",
    tests: "log-replay/test/protocol",
    name: "what a guard is worth",
  }),
  log({
    what: "a guard is believed wherever it is",
    file: "protocol.ts",
    before: `  if (guard.run_id !== here.runId) return "restore";
  if (guard.replid === here.replid) return "fine";
  return here.inherited ? "restore" : "compare";`,
    after: `  return "fine";`,
    promise: [
      "an older copy of a Redis is put back",
      "Redis, its data, an older copy put back",
      "A Redis that is empty, older than the log or half restored",
    ],
    tests: "log-replay/test/recover/missing-state",
    name: "the copy has reached the same commit number",
  }),
  {
    what: "the guard is not watched",
    file: "layers/redis-occ/src/watch-lane.ts",
    before: `["watch", this.identity.fence, ...keys]`,
    after: `["watch", this.identity.fence, ...keys.filter((key) => key !== "log:guard")]`,
    promise: "a Redis is emptied while it runs",
    project: "layers",
    tests: "log-replay/test/recover/missing-state",
    name: "takes no write",
  },
  log({
    what: "a state without a guard is not restored",
    file: "recover/recovery.ts",
    before: "    return applyHistory(options, lock, survey, snapshot, (records) => {",
    after:
      "    if (snapshot === null) return [];\n    return applyHistory(options, lock, survey, snapshot, (records) => {",
    promise: ["a Redis, or all three", "A Redis that is empty, older than the log or half restored"],
    tests: "log-replay/test/recover/missing-state",
    name: "an empty Redis is restored",
  }),
  log({
    what: "another history of the data is believed",
    file: "protocol.ts",
    before: `  return here.inherited ? "restore" : "compare";`,
    after: `  return "fine";`,
    promise: ["a Redis follows a replica that lags, and returns", "No transaction commits to a Redis"],
    tests: POSITIONS,
    name: "under a process that has seen nothing of what is missing: it does not answer",
  }),
  log({
    what: "a new history is never the same data",
    file: "protocol.ts",
    before: `  return here.inherited ? "restore" : "compare";`,
    after: `  return "restore";`,
    promise: "a first replica attaches",
    tests: POSITIONS,
    name: "the first replica that attaches",
  }),
  log({
    what: "a process accepts a state older than what it has seen",
    file: "commit/log-hook.ts",
    before: "(isBehind(state.last, before) || Number.isNaN(state.last))",
    after: "Number.isNaN(state.last)",
    promise: ["older data are put back in the same process", "No transaction commits to a Redis"],
    tests: POSITIONS,
    name: "the process that was there notices",
  }),
  log({
    what: "a new process does not compare with the log's end",
    file: "commit/comparison.ts",
    before: "    if (!this.#compared.has(connection)) return this.#compare(writer, guard, connection);",
    after: "    this.#compared.add(connection);",
    promise: "older data are put back in the same process",
    tests: POSITIONS,
    name: "put back while nobody is there",
  }),
  log({
    what: "a process that has seen nothing newer never compares again",
    file: "commit/comparison.ts",
    before: "    if (performance.now() >= this.#next) {",
    after: "    if (performance.now() < 0) {",
    promise: "older data are put back in the same process",
    tests: POSITIONS,
    name: "put back under a process that has seen nothing",
  }),
  log({
    what: "a log that ends below what Redis trimmed is taken",
    file: "protocol.ts",
    before: `  if (end < floor) return "older log";\n`,
    after: "",
    promise: ["an older log is put back under a newer Redis", "A log that is older than what Redis knows"],
    tests: POSITIONS,
    name: "is refused, with both positions",
  }),
  log({
    what: "data of no log are wiped",
    file: "recover/recovery.ts",
    before: "if (origin === null && (await holdsForeignKey(connection))) {",
    after: "if (origin === undefined && (await holdsForeignKey(connection))) {",
    promise: "Data of no log, or of another one, are never wiped",
    tests: FOREIGN,
    name: "data in Redis that is of no log",
  }),
  log({
    what: "the state of another log is wiped",
    file: "recover/recovery.ts",
    before: "if (origin !== null && origin !== store.id) {",
    after: "if (origin === undefined) {",
    promise: "Data of no log, or of another one, are never wiped",
    tests: FOREIGN,
    name: "the state of another log",
  }),
  log({
    what: "a guard ahead of the log's claims is no reason to stop",
    file: "recover/recovery.ts",
    before: "  if (guard.epoch > highest) {",
    after: "  if (guard.epoch < 0) {",
    promise: "the log's folder vanishes or is another one",
    tests: FOREIGN,
  }),
];
