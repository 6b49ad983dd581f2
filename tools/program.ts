import { command, logCommands, type Program } from "log-replay/cli";
import { SERVICES } from "../functions/settings/services.ts";
import { audit } from "./commands/audit.ts";
import { backup } from "./commands/backup.ts";
import { queues, redrive } from "./commands/queues.ts";
import { sagas } from "./commands/sagas.ts";
import { shopLogs } from "./open-logs.ts";

const { show, follow, verify, repair, state, diff, restore, compact } = logCommands(shopLogs);

/** @throws TypeError */
function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new TypeError("a port from 0 to 65535 is needed");
  return Number(text);
}

const console = command({
  name: "console",
  arguments: "",
  what: "the logs in a browser: checkouts, the three logs on one time line, any earlier state, the audit",
  examples: ["console", "console --port 9000", "console --shop http://127.0.0.1:8000"],
  options: {
    port: { argument: "port", what: "to listen on; 0 for any", parse: portNumber, usual: 8080 },
    host: { argument: "address", what: "to listen on; beyond this machine a token is needed", usual: "127.0.0.1" },
    shop: { argument: "url", what: "of the shop that writes these logs, for what no log tells" },
  },
  // Loaded only for this command: the others start without it.
  run: async (_, options) => (await import("./commands/console.ts")).openConsole(options),
});

/** The command line: what log-replay has for any log, on those of the services, and what knows the shop. */
export const shoplog: Program = {
  name: "shoplog",
  what: "The logs of the shop: what happened, whether it adds up, and how to go back.",
  notes: `A service is ${SERVICES.join(", ")}; without one: all of them.

The shop's data folder is .data, or what DATA_DIR says; logs in S3 are where LOG_BUCKET_ORDER, …_STOCK, …_PAYMENT, AWS_REGION and
the keys of AWS say. The Redis of a service is that of the shop that runs there, or what REDIS_URL_ORDER and the like say.
Exit codes: 0 all is well, 1 something is wrong, 2 it could not be done.`,
  commands: [
    {
      ...show,
      examples: [
        "show stock",
        "show --saga sf3qb2shXsy3KIabs8Kg_",
        "show payment --key user:7 --since 2026-01-31",
        "show order --op saga_paid --json | jq .saga",
      ],
    },
    follow,
    {
      ...verify,
      what: "checksums, order, holes, epochs, and what each operation may change; every problem with file and line",
    },
    repair,
    state,
    diff,
    restore,
    compact,
    backup,
    sagas,
    audit,
    console,
    queues,
    redrive,
  ],
};
