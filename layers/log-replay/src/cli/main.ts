#!/usr/bin/env node
/** `npx log-replay`: the commands for logs that are named by where they are. */
import { readFileSync } from "node:fs";
import { adopt } from "./commands/adopt.ts";
import { logCommands } from "./commands.ts";
import { namedLogs } from "./named-logs.ts";
import { runProgram } from "./program.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

await runProgram({
  name: "log-replay",
  what: "The logs of log-replay: what happened, whether all of it is there, and how to go back.",
  notes: `A log is a folder, or s3://BUCKET/PREFIX: then AWS_REGION and the keys of AWS are in the environment, and
AWS_ENDPOINT_URL_S3 for another server than AWS'; the package aws4fetch has to be installed.

Exit codes: 0 all is well, 1 something is wrong, 2 it could not be done. NODE_DEBUG=log-replay shows where an error came from.`,
  version,
  commands: [...Object.values(logCommands(namedLogs)), adopt],
});
