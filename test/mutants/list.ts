/** The whole list. */
import { ANSWERS } from "./list/answers.ts";
import { CHANNELS } from "./list/channels.ts";
import { COMMAND_LINE } from "./list/command-line.ts";
import { COMMITS } from "./list/commits.ts";
import { DEPENDENCIES } from "./list/dependencies.ts";
import { ERRORS } from "./list/errors.ts";
import { EVENTS } from "./list/events.ts";
import { EXPIRY } from "./list/expiry.ts";
import { FILE, S3 } from "./list/files.ts";
import { HASHES } from "./list/hashes.ts";
import { HOSTS } from "./list/hosts.ts";
import { OBSERVE } from "./list/observe.ts";
import { OPTIMISTIC } from "./list/optimistic.ts";
import { POSITION } from "./list/positions.ts";
import { RESTORES, SERVERS } from "./list/restores.ts";
import { SAGA } from "./list/saga.ts";
import { SYNCS } from "./list/syncs.ts";
import { BENCHMARK, DEPLOYMENT, TOOLS } from "./list/tools.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [
  ...ANSWERS,
  ...CHANNELS,
  ...COMMAND_LINE,
  ...COMMITS,
  ...ERRORS,
  ...EVENTS,
  ...EXPIRY,
  ...FILE,
  ...HASHES,
  ...HOSTS,
  ...OBSERVE,
  ...OPTIMISTIC,
  ...POSITION,
  ...RESTORES,
  ...S3,
  ...SAGA,
  ...SERVERS,
  ...SYNCS,
  ...TOOLS,
  ...DEPENDENCIES,
  ...DEPLOYMENT,
  ...BENCHMARK,
];

/** Guarantees that no change of the code can break, and why. */
export const UNBREAKABLE: Readonly<Record<string, string>> = {
  "the disk with the log": "nothing is kept",
  "the log's disk or folder": "nothing is kept",
};
