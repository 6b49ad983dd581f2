/** The severity of a line. LOG_LEVEL lets through the level that it names and all to its right. */
const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type Level = (typeof LEVELS)[number];

/**
 * One line of JSON on standard output. `fields` must hold no secret: no headers, no bodies.
 *
 * Lines are written once for each turn of the event loop, because a write for each line costs more than all the rest of
 * it. They are out before an invocation's answer has left the process and before a Lambda freezes; only a SIGKILL takes
 * those of the last turn.
 */
export function log(level: Level, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const threshold = LEVELS.indexOf((process.env["LOG_LEVEL"] || "info") as Level);
  if (LEVELS.indexOf(level) < threshold) return;
  const head = `{"time":"${new Date().toISOString()}","level":"${level}","message":${JSON.stringify(message)}`;
  const rest = JSON.stringify(fields);
  write(rest === "{}" ? `${head}}` : `${head},${rest.slice(1)}`);
}

const waiting: string[] = [];
let flushesAtExit = false;

/** @param line JSON */
function write(line: string): void {
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

/**
 * One value of a metric, as a line that CloudWatch turns into one (its embedded metric format). It is written only
 * where METRICS_NAMESPACE says that somebody reads it.
 */
export function metric(service: string, name: string, value: number): void {
  const namespace = process.env["METRICS_NAMESPACE"];
  if (!namespace) return;
  const about = {
    Timestamp: Date.now(),
    CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [["service"]], Metrics: [{ Name: name }] }],
  };
  write(JSON.stringify({ _aws: about, service, [name]: value }));
}

/** An error with what caused it, for the log; with its stack only if it was not expected. */
export function describe(error: unknown, withStack: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const own = withStack ? (error.stack ?? error.message) : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} <- ${describe(error.cause, false)}`;
}
