import { Command, InvalidArgumentError } from "commander";
import { parseMoment, type Moment } from "log-replay/tools";
import { audit } from "./commands/audit.ts";
import { backup } from "./commands/backup.ts";
import { compactLogs } from "./commands/compact.ts";
import type { ConsoleCommandOptions } from "./commands/console.ts";
import { diffStates } from "./commands/diff.ts";
import { follow } from "./commands/follow.ts";
import { queues, redrive } from "./commands/queues.ts";
import { repairLog } from "./commands/repair.ts";
import { restore } from "./commands/restore.ts";
import { sagas } from "./commands/sagas.ts";
import { show } from "./commands/show.ts";
import { state } from "./commands/state.ts";
import { verifyLogs } from "./commands/verify.ts";
import { SERVICES } from "../functions/settings/services.ts";

const SERVICE = SERVICES.join(", ");
const MOMENT = "a commit (N or EPOCH:N) or a time (2026-01-31T12:00:00Z)";

/** The command line. Wrong arguments throw CommanderError once the user was told. */
export function program(): Command {
  const shoplog = new Command("shoplog")
    .description("The logs of the shop: what happened, whether it adds up, and how to go back.")
    .addHelpText(
      "after",
      `
The shop's data folder is .data, or what DATA_DIR says; logs in S3 are where LOG_BUCKET_ORDER, …_STOCK, …_PAYMENT, AWS_REGION and
the keys of AWS say. Exit codes: 0 all is well, 1 something is wrong, 2 it could not be done.

  $ npx shoplog show order --last 20
  $ npx shoplog verify`,
    )
    .exitOverride();

  const command = (name: string, what: string, examples: readonly string[]): Command =>
    shoplog
      .command(name)
      .description(what)
      .addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ npx shoplog ${example}`).join("\n")}`);

  command("show [service...]", "history in commit order; of several services on one time line", [
    "show stock",
    "show --saga sf3qb2shXsy3KIabs8Kg_",
    "show payment --key user:7 --since 2026-01-31",
    "show order --op saga_paid --json | jq .saga",
  ])
    .addHelpText("before", `service: ${SERVICE}; all without one\n`)
    .option("--key <key>", "only commits that write this key; user:* for all that begin so")
    .option("--saga <id>", "only commits of this checkout")
    .option("--op <name>", "only commits of this operation")
    .option("--since <moment>", `from here on: ${MOMENT}`, moment)
    .option("--until <moment>", "up to here", moment)
    .option("--last <count>", "only the last ones", natural)
    .option("--long", "nothing is shortened")
    .option("--json", "one JSON object a line, for programs")
    .action(show);

  command("follow [service...]", "what is appended, as it is, over new segments and epochs; Ctrl-C ends it", [
    "follow",
    "follow order --last 0 --json",
  ])
    .option("--key <key>", "only commits that write this key")
    .option("--saga <id>", "only commits of this checkout")
    .option("--op <name>", "only commits of this operation")
    .option("--last <count>", "that many commits of before, first", natural, 10)
    .option("--long", "nothing is shortened")
    .option("--json", "one JSON object a line, for programs")
    .action(follow);

  command(
    "verify [service...]",
    "checksums, order, holes, epochs, and what each operation may change; every problem with file and line",
    ["verify", "verify stock --json"],
  )
    .option("--json", "one JSON object a line, for programs")
    .action(verifyLogs);

  command("repair <service>", "what can be done about damage: says it, asks, and keeps a copy of what it replaces", [
    "repair stock",
    "repair stock --yes",
  ])
    .option("--yes", "does not ask")
    .action(repairLog);

  command("state <service>", "the state that the log gives, without Redis; now or at any time", [
    "state payment",
    "state payment --at 2026-01-31T12:00:00Z",
    "state stock --at 2:1042 --key item:7 --json",
  ])
    .option("--at <moment>", MOMENT, moment)
    .option("--key <key>", "only this key; item:* for all that begin so")
    .option("--json", "one JSON object a line, for programs")
    .action(state);

  command("diff [service...]", "each key in which the live Redis differs from its log", [
    "diff",
    "diff stock --redis redis://127.0.0.1:6379",
  ])
    .option("--redis <url>", "this Redis, for one service; the shop's own without it")
    .option("--json", "one JSON object a line, for programs")
    .action(diffStates);

  command(
    "restore [service...]",
    "the state of an earlier time, set by a new epoch: the history stays, and this can be turned back as well",
    ["restore --at 2026-01-31T12:00:00Z", "restore stock --at 2:1042 --yes"],
  )
    .requiredOption("--at <moment>", `${MOMENT}; a commit for one service only`, moment)
    .option("--redis <url>", "into this Redis, for one service; without it into the shop's own where it runs")
    .option("--yes", "does not ask")
    .action(restore);

  command(
    "compact [service...]",
    "folds the log into a snapshot and archives what is in it, so that a restore reads less; beside the running shop, too, and safe to kill",
    ["compact", "compact stock"],
  ).action(compactLogs);

  command(
    "backup <folder> [service...]",
    "a copy of the logs that can be used as a data folder; taken beside the running shop, and verified",
    ["backup ../backup-2026-01-31", "backup ../backup-of-stock stock"],
  ).action(backup);

  command(
    "sagas [id]",
    "the checkouts: which are open, stuck, done; with an id (or its beginning), all that one did, in all three logs",
    ["sagas --open", "sagas --stuck", "sagas sf3qb2"],
  )
    .option("--open", "only those that are not settled")
    .option("--stuck", "only those that are not settled and past their deadline")
    .option("--done", "only those that are settled")
    .option("--long", "nothing is shortened")
    .option("--json", "one JSON object a line, for programs")
    .action(sagas);

  command(
    "audit",
    "whether stock and credit went where the paid orders say, over all three services, from the logs alone",
    ["audit", "audit --json"],
  )
    .option("--json", "one JSON object, for programs")
    .action(audit);

  command(
    "console",
    "the logs in a browser: checkouts, the three logs on one time line, any earlier state, the audit",
    ["console", "console --port 9000", "console --shop http://127.0.0.1:8000"],
  )
    .option("--port <port>", "to listen on; 0 for any", natural, 8080)
    .option("--host <address>", "to listen on; beyond this machine a token is needed", "127.0.0.1")
    .option("--shop <url>", "of the shop that writes these logs, for what no log tells")
    .action(async (options: ConsoleCommandOptions) =>
      // Loaded only for this command: the others start without it.
      (await import("./commands/console.ts")).openConsole(options),
    );

  command(
    "queues",
    "of checkouts by events: what waits, what is worked on, and the messages that could not be handled",
    ["queues", "queues --json"],
  )
    .option("--json", "one JSON object a service, for programs")
    .action(queues);

  command("redrive <service>", "has the messages that could not be handled tried once more: says which, and asks", [
    "redrive stock",
    "redrive stock --yes",
  ])
    .option("--yes", "does not ask")
    .action(redrive);

  return shoplog;
}

function moment(text: string): Moment {
  try {
    return parseMoment(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function natural(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("a whole number is needed");
  return Number(text);
}
