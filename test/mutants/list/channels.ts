/** What redis-occ passes on between processes, and what it tells within one. */
import type { Mutant } from "../mutant.ts";

const SRC = "layers/redis-occ/src";
const news = (promise: string, what: string, before: string, after: string, name: string): Mutant => ({
  what,
  file: `${SRC}/channel.ts`,
  before,
  after,
  promise,
  project: "layers",
  tests: "redis-occ/test/channel",
  name,
});
const told = (promise: string, what: string, file: string, before: string, after: string, name: string): Mutant => ({
  what,
  file: `${SRC}/${file}`,
  before,
  after,
  promise,
  project: "layers",
  tests: "redis-occ/test/diagnostics",
  name,
});

const LISTEN = "`listen()`";
const REST = "`rest()`";
const PUBLISH = "`publish(text)`";
const CLOSE = "`close()`";
const ATTEMPT = "`redis-occ:attempt`";
const TRANSACTION = "`tracing:redis-occ:transaction:*`";

export const CHANNELS: readonly Mutant[] = [
  news(
    LISTEN,
    "a connection that broke is taken for one on which messages come in",
    "      this.#subscriber = undefined;\n      this.#listening = undefined;\n",
    "      this.#subscriber = undefined;\n",
    "a connection that breaks takes the listening with it",
  ),
  news(
    LISTEN,
    "it resolves before messages come in",
    "await bounded(redis, this.#timeout, redis.subscribe(this.#name));",
    "void redis.subscribe(this.#name);",
    "listen resolves once Redis has it",
  ),
  news(
    LISTEN,
    "each look subscribes once more",
    "this.#listening ??= this.#subscribe()",
    "this.#listening = this.#subscribe()",
    "whoever listens hears what is published from then on",
  ),
  news(
    LISTEN,
    "a failed one is what every later one gets",
    "      this.#listening = undefined;\n      throw this.#explained(error);",
    "      throw this.#explained(error);",
    "a user who may not listen is told so",
  ),
  news(
    REST,
    "messages come in for ever",
    "await (await this.#subscriber)?.unsubscribe(this.#name);",
    "await this.#subscriber;",
    "after rest nothing is heard",
  ),
  news(
    REST,
    "it takes the next listen with it",
    "if (this.#listening === undefined) await (await this.#subscriber)",
    "await (await this.#subscriber)",
    "after rest nothing is heard",
  ),
  news(
    PUBLISH,
    "an answer that was lost is said to be nothing sent",
    "if (isSent && known instanceof ConnectionLostError)",
    "if (!isSent && known instanceof ConnectionLostError)",
    "a server that is gone, one that hangs",
  ),
  news(
    PUBLISH,
    "a connection that broke is used again",
    "this.#open(() => (this.#publisher = undefined))",
    "this.#open(() => undefined)",
    "a connection that breaks takes the listening with it",
  ),
  news(
    PUBLISH,
    "a wrong password is called a lost connection",
    "this.#reason !== undefined && !isServerReply(error) ? this.#reason : error",
    "error",
    "a server that is gone, one that hangs",
  ),
  news(CLOSE, "its connections stay open", "(redis) => redis.disconnect(),", "() => undefined,", "once it is closed"),
  news(CLOSE, "it is open again at the next call", "    this.#closed = true;\n", "", "once it is closed"),
  news(CLOSE, "they keep a process alive", "      keepNobody(redis);\n", "", "it keeps no process alive"),
  told(
    ATTEMPT,
    "a conflict is told as an attempt that was executed",
    "committer.ts",
    "outcome = end.kind;",
    'outcome = end.kind === "conflict" ? "executed" : end.kind;',
    "each attempt of a group is told",
  ),
  told(
    ATTEMPT,
    "one that fails is not told",
    "committer.ts",
    "      attemptChannel.publish(told);",
    '      if (outcome !== "failed") attemptChannel.publish(told);',
    "an attempt whose connection breaks",
  ),
  told(
    ATTEMPT,
    "each group is of one",
    "committer.ts",
    "        size: open.length,",
    "        size: 1,",
    "how many transactions a group has",
  ),
  told(
    ATTEMPT,
    "it does not say which transactions",
    "client.ts",
    "    transaction.message = message;\n",
    "",
    "an attempt names the transactions in it",
  ),
  told(
    TRANSACTION,
    "what it is for is not told",
    "client.ts",
    "{ name: this.#name, meta: transaction.meta }",
    "{ name: this.#name, meta: undefined }",
    "each transaction is told",
  ),
  told(
    TRANSACTION,
    "its end is told before its answer",
    "client.ts",
    "return transactionChannel.tracePromise(run, message);",
    "transactionChannel.traceSync(() => undefined, message);\n    return run();",
    "each transaction is told",
  ),
];
