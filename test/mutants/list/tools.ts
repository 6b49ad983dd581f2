/** What tells an operator the truth: the log's tools, the template of the deployment, the benchmark. */
import type { Mutant } from "../mutant.ts";

const SHOPLOG = "tools/test/shoplog";
const DEAD_LETTERS = "tools/test/dead-letters";
const tool = (mutant: Omit<Mutant, "project">): Mutant => ({ ...mutant, project: "tools" });

export const TOOLS: readonly Mutant[] = [
  tool({
    what: "diff has no exit code",
    file: "layers/log-replay/src/cli/commands/diff.ts",
    before: "        if (differences.length > 0) process.exitCode = EXIT.wrong;\n",
    after: "",
    promise: "`diff [service...]`",
    tests: SHOPLOG,
    name: "diff",
  }),
  tool({
    what: "verify does not know the shop's laws",
    file: "tools/open-logs.ts",
    before: "        law: lawOf(name),\n",
    after: "",
    promise: "`verify [service...]`",
    tests: SHOPLOG,
    name: "a record that breaks the rules of its operation",
  }),
  tool({
    what: "audit does not compare the stock with the markers",
    file: "tools/accounts.ts",
    before: "...this.#stock.compare(holdings), ",
    after: "",
    promise: "`audit`",
    tests: SHOPLOG,
    name: "stock that was never taken",
  }),
  tool({
    what: "audit does not compare the credit with the markers",
    file: "tools/accounts.ts",
    before: ", ...this.#credit.compare(holdings)",
    after: "",
    promise: "`audit`",
    tests: SHOPLOG,
    name: "stock that was never taken",
  }),
  tool({
    what: "audit compares only the rows that something was taken from",
    file: "tools/accounts.ts",
    before: "[...this.#spent.keys(), ...holdings.keys()]",
    after: "[...this.#spent.keys()].filter((key) => this.#spent.get(key) !== 0)",
    promise: "`audit`",
    tests: SHOPLOG,
    name: "stock that was never taken",
  }),
  tool({
    what: "audit does not ask whether a paid checkout has both effects",
    file: "tools/accounts.ts",
    before: "      violations.push(...judge(id, checkout));\n",
    after: "",
    promise: "`audit`",
    tests: SHOPLOG,
    name: "a log that lost its end",
  }),
  tool({
    what: "a look at dead letters goes on where they are in sight again",
    file: "tools/queues.ts",
    before: "received.length === 0 || received.some(({ id }) => letters.has(id))",
    after: "received.length === 0",
    promise: "`queues`",
    tests: DEAD_LETTERS,
    name: "a look ends",
  }),
  tool({
    what: "messages that die again while others are redriven are redriven too",
    file: "tools/queues.ts",
    before: "    while (sent < most) {\n      const letters = await this.#receive(most - sent, ",
    after: "    for (;;) {\n      const letters = await this.#receive(most, ",
    promise: "`redrive <service>`",
    tests: DEAD_LETTERS,
    name: "a redrive ends",
  }),
  {
    what: "verify and repair take claims that were tidied away for lost ones",
    file: "layers/log-replay/src/protocol.ts",
    before: "  const lowest = ascending[0] ?? known[0] ?? 1;\n",
    after: "  const lowest = known[0] ?? 1;\n",
    promise: "a repair claims again what was tidied away",
    project: "layers",
    tests: "log-replay/test/tools/(verify|repair)",
    name: "tidied away",
  },
  {
    what: "a repair makes the lowest of several lost claims again first",
    file: "layers/log-replay/src/tools/repair.ts",
    before: "of lost.reverse())",
    after: "of lost)",
    promise: "a repair claims again what was tidied away",
    project: "layers",
    tests: "log-replay/test/tools/repair",
    name: "from the highest one down",
  },
  {
    what: "verify takes how an epoch began that was passed over for lost where it was forgotten",
    file: "layers/log-replay/src/tools/verify.ts",
    before: " || isPassedOver(epoch, begins)",
    after: "",
    promise: "`verify [service...]`",
    project: "layers",
    tests: "log-replay/test/tools/verify",
    name: "tidied away",
  },
  {
    what: "adopt sets its mark first, and takes it back where somebody wrote",
    file: "layers/log-replay/src/tools/adopt.ts",
    before: "    const [marked] = await connection.pipeline([",
    after:
      '    await connection.pipeline([["set", STORE, store.id]]);\n' +
      '    await connection.pipeline([["del", STORE]]);\n' +
      "    const [marked] = await connection.pipeline([",
    promise: "data are marked as a log's",
    project: "layers",
    tests: "log-replay/test/tools/adopt",
    name: "just before the mark",
  },
  {
    what: "adopt marks data that somebody has written to since",
    file: "layers/log-replay/src/tools/adopt.ts",
    before: " then return 0 end\n",
    after: " then break end\n",
    promise: "Data of no log, or of another one, are never wiped",
    project: "layers",
    tests: "log-replay/test/tools/adopt",
    name: "whoever writes meanwhile",
  },
  {
    what: "adopt does not look whether its epoch was ended meanwhile",
    file: "layers/log-replay/src/tools/adopt.ts",
    before: "  if (await store.isSealed(epoch)) throw begunMeanwhile(store);\n",
    after: "",
    promise: "a recovery ends the epoch that data are adopted into",
    project: "layers",
    tests: "log-replay/test/tools/adopt",
    name: "a recovery that ends the epoch",
  },
  {
    what: "a restore in the log alone claims no epoch",
    file: "layers/log-replay/src/tools/restore-to.ts",
    before: "  const epoch = await claimNext(store);\n",
    after: "  const epoch = ((await store.claims()).at(-1) ?? 0) + 1;\n",
    promise: "`restore [service...] --at MOMENT`",
    project: "layers",
    tests: "log-replay/test/tools/restore-to",
    name: "without a Redis the log alone goes back",
  },
  {
    what: "a restore does not look whether its epoch was ended meanwhile",
    file: "layers/log-replay/src/tools/restore-to.ts",
    before: "    if (await this.#store.isSealed(epoch))\n",
    after: "    if (epoch === 0)\n",
    promise: "`restore [service...] --at MOMENT`",
    project: "layers",
    tests: "log-replay/test/tools/restore-to",
    name: "without a Redis, a recovery that ends the epoch",
  },
];

const template = (mutant: Omit<Mutant, "project" | "tests">): Mutant => ({
  ...mutant,
  project: "deploy",
  tests: "deploy/test/template",
});

export const DEPLOYMENT: readonly Mutant[] = [
  template({
    what: "functions carry the code of traces that nobody collects",
    file: "deploy/tracing.cjs",
    before: 'endpoint === "" ?',
    after: 'endpoint === "nobody" ?',
    promise: "`otlpEndpoint`, `otlpHeadersSecret`",
    name: "every function has both layers",
  }),
  {
    what: "a function answers before its spans are sent",
    file: "functions/observe/traces.ts",
    before: "        await sent();",
    after: "        void sent();",
    promise: "`otlpEndpoint`, `otlpHeadersSecret`",
    project: "deploy",
    tests: "deploy/test/tracing",
  },
  template({
    what: "every function may read the secret",
    file: "deploy/resources/roles.cjs",
    before: "await role(name, []);",
    after: "await role(name, [readSecret]);",
    promise: "`forbidden`",
    name: "the secret is readable by",
  }),
  template({
    what: "nobody is told that sagas are not resumed",
    file: "deploy/resources/alarms.cjs",
    before: "    SagasNotResumed: alarm(",
    after: "    [Symbol()]: alarm(",
    promise: "`SagasNotResumed`",
    name: "there is an alarm for each thing",
  }),
  template({
    what: "a Lambda ends before the request that it works on",
    file: "serverless.yml",
    before: "    timeoutSeconds: 25 # below",
    after: "    timeoutSeconds: 5 # below",
    promise: "`sagaTimeoutMs`, `stepTimeoutMs`",
    name: "a step ends before its saga",
  }),
];

const benchmark = (mutant: Omit<Mutant, "project" | "tests">): Mutant => ({
  ...mutant,
  project: "bench",
  tests: "bench/test/honest",
});

export const BENCHMARK: readonly Mutant[] = [
  benchmark({
    what: "what was read is not looked at",
    file: "bench/scenarios/one-service.ts",
    before: "return row.stock === 7 && row.price === 5;",
    after: "return row.price === 5;",
    promise: "reads, 50 connections",
    name: "where a read is wrong, that one does not count",
  }),
  benchmark({
    what: "a lost add is not noticed",
    file: "bench/scenarios/one-service.ts",
    before: "const isTrue = stock >= answered && stock <= answered + uncertain;",
    after: "const isTrue = stock <= answered + uncertain;",
    promise: "adds to one item, 50 connections",
    name: "where an add is lost, the row says so",
  }),
];
