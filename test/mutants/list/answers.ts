/** What the services answer: again under a key, while something is away, and what they keep of it. */
import type { Mutant } from "../mutant.ts";

const RETENTION = "`RETENTION_MS`";
const functions = (mutant: Omit<Mutant, "project">): Mutant => ({
  ...mutant,
  file: `functions/${mutant.file}`,
  project: "functions",
});

export const ANSWERS: readonly Mutant[] = [
  functions({
    what: "an answer is given to another method or path with the same key",
    file: "state/idempotency.ts",
    before: "  if (first.request !== request)\n",
    after: "  if (first.request === null)\n",
    promise: "`idempotency_key_reused`",
    tests: "functions/handler/test/once",
  }),
  functions({
    what: "a record past the retention answers",
    file: "state/idempotency.ts",
    before: "if (first === null || first.at < at - retention()) return null;",
    after: "if (first === null) return null;",
    promise: RETENTION,
    tests: "functions/handler/test/once",
    name: "a record past the retention answers nobody",
  }),
  functions({
    what: "a batch ends early where the record of its key has expired",
    file: "handler/batch.ts",
    before: "if (idempotency !== null && answerOf(recall(view, idempotency)) !== null) return { result: true };",
    after:
      "const kept = idempotency && recall(view, idempotency);\n          if (idempotency !== null && (kept === null || answerOf(kept) !== null)) return { result: true };",
    promise: RETENTION,
    tests: "functions/state/test/idempotency",
    name: "a batch whose key's record expires while it runs",
  }),
  functions({
    what: "records whose time is ahead are listed for ever",
    file: "state/expire.ts",
    before: "return at <= until || (at > now + WRONG_CLOCK && at !== Infinity);",
    after: "return at <= until;",
    promise: [RETENTION, "the clock jumps, on all hosts"],
    tests: "functions/state/test/idempotency",
    name: "records whose time is ahead",
  }),
  functions({
    what: "records that were used anew are listed again and again",
    file: "state/expire.ts",
    before: "    passedOver += keys.length - deleted;\n",
    after: "",
    promise: RETENTION,
    tests: "functions/state/test/idempotency",
    name: "a key that was used anew since it was listed",
  }),
  functions({
    what: "an answer is kept in a transaction of its own",
    file: "handler/once.ts",
    before: "return { result, set: [...set, remember(idempotency, keep)] };",
    after: "return { result, set };",
    promise: "`idempotency_key_reused`",
    tests: "functions/handler/test/once",
    name: "the first answer is given again",
  }),
  functions({
    what: "a request waits for a restore as long as it takes",
    file: "state/open-state.ts",
    before: "      restorePatience: RESTORE_PATIENCE,\n",
    after: "",
    promise: "one Redis dies",
    tests: "functions/state/test/upkeep",
    name: "while a service restores",
  }),
  {
    what: "a task in a process that has worked before waits for a restore no longer than a request",
    file: "layers/log-replay/src/commit/log-hook.ts",
    before: "    this.#isInStep = false;\n",
    after: "",
    promise: "one Redis dies",
    project: "functions",
    tests: "functions/state/test/upkeep",
    name: "while a service restores",
  },
  functions({
    what: "a request has all the time of its transaction, not its own",
    file: "handler/endpoint.ts",
    before: "        deadline: now + timeLeft(context, patience, RESERVE),",
    after: "        deadline: now + 3 * patience,",
    promise: ["Redis hangs", "a Redis hangs"],
    tests: "functions/handler/test/endpoint",
    name: "while its Redis hangs a service answers 503",
  }),
  functions({
    what: "out of memory is a bug",
    file: "http/error-answer.ts",
    before: "error instanceof OccError",
    after: 'error instanceof OccError && error.code !== "server_refused"',
    promise: ["a Redis refuses writes", "Redis is full (`noeviction`)"],
    tests: "functions/http/test/error-answer",
  }),
];
