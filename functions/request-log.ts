import { textOrDefault } from "./settings/settings.ts";

/** The severity of a line. LOG_LEVEL lets through the level that it names and all to its right. */
const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type Level = (typeof LEVELS)[number];

/**
 * One line on standard output: JSON, and on a terminal for people. `fields` must hold no secret: no headers, no bodies.
 *
 * Lines are written once for each turn of the event loop, because a write for each line costs more than all the rest of
 * it. They are out before an invocation's answer has left the process and before a Lambda freezes; only a SIGKILL takes
 * those of the last turn.
 */
export function log(level: Level, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const threshold = LEVELS.indexOf(textOrDefault(process.env, "LOG_LEVEL") as Level);
  if (LEVELS.indexOf(level) < threshold) return;
  const time = new Date().toISOString();
  if (process.stdout.isTTY) return writeLine(forPeople(time, level, message, fields));
  const head = `{"time":"${time}","level":"${level}","message":${JSON.stringify(message)}`;
  const rest = JSON.stringify(fields);
  writeLine(rest === "{}" ? `${head}}` : `${head},${rest.slice(1)}`);
}

/** On a terminal: what matters first, and no punctuation to read past. */
function forPeople(time: string, level: Level, message: string, fields: Readonly<Record<string, unknown>>): string {
  const { service = "", method, path, status, ms, ...rest } = fields;
  const what = typeof method === "string" ? [method, path, status, ms, "ms"].join(" ") : message;
  const notes = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [time.slice(11, 23), level.padEnd(5), String(service).padEnd(7), what, ...notes].join(" ");
}

const waiting: string[] = [];
let flushesAtExit = false;

/** Without the line's end. */
export function writeLine(line: string): void {
  if (waiting.length === 0) {
    setImmediate(flush);
    if (!flushesAtExit) process.once("exit", flush);
    flushesAtExit = true;
  }
  waiting.push(`${line}\n`);
}

function flush(): void {
  if (waiting.length > 0) process.stdout.write(waiting.splice(0).join(""));
}

/** An error with what caused it, for the log; with its stack only if it was not expected. */
export function describe(error: unknown, withStack: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const own = withStack ? (error.stack ?? error.message) : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} <- ${describe(error.cause, false)}`;
}
