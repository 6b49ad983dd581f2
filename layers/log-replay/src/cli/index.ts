/** The commands of `npx log-replay`, for a program that knows more of its logs than where they are. */
export { backUp } from "./commands/backup.ts";
export { logCommands } from "./commands.ts";
export { EXIT, explain, ToolError } from "./exit.ts";
export { openOne, type Chooser, type Log, type Logs } from "./logs.ts";
export { natural } from "./options.ts";
export { confirmed, count, paint, print, printJson } from "./output.ts";
export {
  command,
  helpOf,
  runCommand,
  runProgram,
  type Command,
  type CommandOf,
  type Option,
  type Options,
  type Program,
  type ValuesOf,
} from "./program.ts";
export { brief, pretty, selector, teller, type Telling } from "./records.ts";
export { timeline, type LogLine, type Span } from "./timeline.ts";
