import { compact } from "./commands/compact.ts";
import { backup } from "./commands/backup.ts";
import { diff } from "./commands/diff.ts";
import { follow } from "./commands/follow.ts";
import { repair } from "./commands/repair.ts";
import { restore } from "./commands/restore.ts";
import { show } from "./commands/show.ts";
import { state } from "./commands/state.ts";
import { verify } from "./commands/verify.ts";
import type { Logs } from "./logs.ts";
import type { Command } from "./program.ts";

const COMMANDS = { show, follow, verify, repair, state, diff, restore, compact, backup };

/**
 * The commands that need to know nothing of what a log is about, for a program that knows: its logs by name, its law, its Redis.
 *
 * @example
 * const { show, follow, backup } = logCommands(logs);
 * await runProgram({ name: "shops", what: "The shops' logs.", notes: "", commands: [show, follow, backup] });
 */
export function logCommands(logs: Logs): Readonly<Record<keyof typeof COMMANDS, Command>> {
  return Object.fromEntries(Object.entries(COMMANDS).map(([name, make]) => [name, make(logs)])) as ReturnType<
    typeof logCommands
  >;
}
