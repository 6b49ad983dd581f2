/** Severity of a line, and what LOG_LEVEL lets through: itself and all to its right. */
const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type Level = (typeof LEVELS)[number];

/** One line of JSON on standard output. `fields` must hold no secret: no headers, no bodies. */
export function log(level: Level, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const threshold = LEVELS.indexOf((process.env["LOG_LEVEL"] || "info") as Level);
  if (LEVELS.indexOf(level) < threshold) return;
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
}

/**
 * One value of a metric, as a line that CloudWatch makes one of (its embedded metric format). Only where
 * METRICS_NAMESPACE says that there is somebody to read it.
 */
export function metric(service: string, name: string, value: number): void {
  const namespace = process.env["METRICS_NAMESPACE"];
  if (!namespace) return;
  const about = { Timestamp: Date.now(), CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [["service"]], Metrics: [{ Name: name }] }] };
  process.stdout.write(`${JSON.stringify({ _aws: about, service, [name]: value })}\n`);
}

/** An error with what caused it, for the log. A stack only where the error was not expected. */
export function describe(error: unknown, withStack: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const own = withStack ? (error.stack ?? error.message) : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} <- ${describe(error.cause, false)}`;
}
