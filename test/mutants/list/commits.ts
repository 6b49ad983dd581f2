/** When log-replay answers: what is in the log by then, and what became of a commit whose epoch ended. */
import type { Mutant } from "../mutant.ts";

const SRC = "layers/log-replay/src";
const log = (mutant: Omit<Mutant, "project">): Mutant => ({
  ...mutant,
  file: `${SRC}/${mutant.file}`,
  project: "layers",
});

const ANSWERS = "log-replay/test/commit/answers";

export const COMMITS: readonly Mutant[] = [
  log({
    what: "a commit is answered before its append has ended",
    file: "commit/log-hook.ts",
    before: "    return appended\n      .then(",
    after: "    return Promise.race([appended, Promise.resolve()])\n      .then(",
    promise: [
      "A result is given only once the log has the transaction",
      "a function's host, at any instruction",
      "a process, at any instruction",
    ],
    tests: ANSWERS,
    name: "a commit is answered only once its append has ended",
  }),
  log({
    what: "a read is answered while its own process's append is pending",
    file: "commit/log-hook.ts",
    before: `      else if (awaited === "own appends") await writer.flush();`,
    after: "",
    promise: ["No read and no refusal rests on something", "A result is given only once the log has the transaction"],
    tests: ANSWERS,
    name: "while a write is on its way to the log, in this process",
  }),
  log({
    what: "a read is answered from what another process has yet to append",
    file: "commit/log-hook.ts",
    before: `if (awaited === "the tail" && last) await`,
    after: `if (awaited !== "the tail" && last) await`,
    promise: "No read and no refusal rests on something",
    tests: ANSWERS,
    name: "while a write of another process is not in the log yet",
  }),
  log({
    what: "a refusal waits for nothing",
    file: "commit/log-hook.ts",
    before: " : writer.flush();",
    after: " : Promise.resolve();",
    promise: "No read and no refusal rests on something",
    tests: ANSWERS,
    name: "a refusal that saw it waits",
  }),
  log({
    what: "a commit is appended without those that it has seen",
    file: "commit/log-hook.ts",
    before: "turns.append([...others, ...mine], last.n,",
    after: "turns.append(mine.length > 0 ? mine : others, last.n,",
    promise: "The log is a prefix of the history",
    tests: ANSWERS,
    name: "the log is a prefix",
  }),
  log({
    what: "what is known to be durable is trimmed one commit too far",
    file: "redis/tail.ts",
    before: 'return ["xtrim", TAIL, "MINID", `${epoch}-${durable + 1}`];',
    after: 'return ["xtrim", TAIL, "MINID", `${epoch}-${durable + 2}`];',
    promise: "The log is a prefix of the history",
    tests: ANSWERS,
    name: "what is only on its way to the log stays in the tail",
  }),
  log({
    what: "nobody looks for a claim after an append",
    file: "commit/epoch-writer.ts",
    before: "    await this.#look();\n    await failPoint",
    after: "    await failPoint",
    promise: "a host freezes and comes back",
    tests: ANSWERS,
    name: "a commit is answered only after the look for a claim",
  }),
  log({
    what: "a read that waits for nothing does not look for a claim",
    file: "commit/log-hook.ts",
    before: "      await (current.look ??= writer.confirm());",
    after: "",
    promise: ["A read is as new as every answer", "an old Redis lives on beside the new one"],
    tests: "log-replay/test/recover/positions",
    name: "what a process reads and refuses on the old one",
  }),
  log({
    what: "a restore does not wait out the look that counts for a while",
    file: "recover/recovery.ts",
    before: "  await leased;\n",
    after: "",
    promise: ["A read is as new as every answer", "an old Redis lives on beside the new one"],
    tests: "log-replay/test/recover/positions",
    name: "where a look for the claim counts for a while",
  }),
  log({
    what: "a failed append counts as done",
    file: "commit/epoch-writer.ts",
    before: `        this.#end("an append failed", error);
        for (const { reject } of requests) reject(this.#over);
        break;`,
    after: "        void error;",
    promise: "an append to the log fails",
    tests: "log-replay/test/commit/failed-append",
    name: "nothing of the frame is in the log",
  }),
  log({
    what: "a claim alone decides that a commit never was",
    file: "protocol.ts",
    before: "return last > epoch && !sealed;",
    after: "return last > epoch;",
    promise: "an append to the log fails",
    tests: "log-replay/test/recover/sealed-epochs",
    name: "a beginning below the highest claim decides nothing",
  }),
  log({
    what: "a commit whose answer was lost is not looked up in the log",
    file: "commit/log-hook.ts",
    before: "    return this.#outcomes.isRecorded(current.epoch, current.own[0]?.tx, current.layout.seen);",
    after: "    return Promise.resolve(false);",
    promise: "the answer of EXEC is lost",
    tests: "log-replay/test/commit/lost-exec",
    name: "it ran, somebody logged it, and Redis was lost",
  }),
  log({
    what: "the end of a close forgets what was executed",
    file: "commit/log-hook.ts",
    before: "    await this.#turns?.writer.flush().catch(() => undefined);\n",
    after: "",
    promise: "A result is given only once the log has the transaction",
    tests: ANSWERS,
    name: "close appends what was executed",
  }),
];
