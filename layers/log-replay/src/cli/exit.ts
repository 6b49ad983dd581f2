import { debuglog } from "node:util";

/**
 * What the exit code tells.
 *
 * @example
 * process.exitCode = problems.length === 0 ? EXIT.ok : EXIT.wrong;
 */
export const EXIT = {
  /** Done, and all is as it should be. */
  ok: 0,
  /** Done, and something is not as it should be (damage, a difference), or the answer was no. */
  wrong: 1,
  /** It could not be done: wrong arguments, no such log, no Redis. */
  failed: 2,
  /** Its reader went away before all was said, with nothing wrong up to there. As a shell tells of a process that SIGPIPE ended. */
  unheard: 141,
} as const;

/**
 * An error for the person at the terminal: its message says everything.
 *
 * @example
 * throw new ToolError("there is no shop west: north, south"); // one line on stderr, exit code 2
 */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

const debug = debuglog("log-replay");

/**
 * One line for a person. `NODE_DEBUG=log-replay` shows where the error came from, too.
 *
 * @example
 * process.stderr.write(`error: ${explain(error)}\n`);
 */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  debug(error.stack ?? error.message);
  return (error.message || error.name).replace(/\s*\n\s*/g, " ");
}
