/** All that one checkout did, in all three logs, as bars on a time line. */
import type { LogRecord } from "log-replay/tools";
import { traceIdOf } from "../../functions/observe/trace-context.ts";
import { SAGAS, type Saga } from "../../functions/order/sagas.ts";
import { hash } from "./columns.ts";
import type { RequestLine, RequestLines } from "./request-lines.ts";
import { driverOf } from "./saga-table.ts";
import type { ServiceLog } from "./service-log.ts";

/** Records of one checkout at most: far more than it writes. */
const MOST = 500;

const COMPENSATIONS = new Set(["release", "refund"]);

export interface StoryRecord {
  readonly service: string;
  readonly n: number;
  readonly record: LogRecord;
  /** Names the process that committed it. */
  readonly driver: string;
}

/** A stretch of time in which one service worked for the checkout. Times in milliseconds since 1970. */
export interface Bar {
  readonly service: string;
  readonly name: string;
  readonly kind: "checkout" | "step" | "compensation" | "transition";
  readonly from: number;
  readonly to: number;
  /** When the message was sent that it answers to; null where it answers to a request. */
  readonly sent: number | null;
  /** When its transaction was committed; what stands before is time in queue, what follows is the append. */
  readonly committed: number | null;
  /** The request's status and id; null where only the log tells of it. */
  readonly status: number | null;
  readonly requestId: string | null;
  readonly error: string | null;
  /** Which try it is, from 1. */
  readonly attempt: number;
  /** The commit under it. */
  readonly commit: { readonly service: string; readonly n: number } | null;
  readonly driver: string | null;
}

export interface Story {
  readonly id: string;
  readonly saga: Saga | null;
  readonly bars: readonly Bar[];
  readonly records: readonly StoryRecord[];
  /** Processes that drove it, in the order in which they came. */
  readonly drivers: readonly string[];
  readonly trace: string | null;
}

/** @returns null where no log knows the checkout */
export async function storyOf(
  id: string,
  logs: readonly ServiceLog[],
  requests: RequestLines | null,
): Promise<Story | null> {
  const records = (await Promise.all(logs.map((log) => recordsOf(id, log)))).flat().sort(byTime);
  if (records.length === 0) return null;
  const key = `${SAGAS}${id}`;
  const saga = records.findLast(({ record }) => (record.set[key] ?? null) !== null)?.record.set[key] as
    Saga | undefined;
  const from = Date.parse(records[0]?.record.at ?? "");
  const to = Date.parse(records.at(-1)?.record.at ?? "");
  const lines = (await requests?.between(from - 60_000, to + 60_000, id)) ?? [];
  const bars = barsOf(records, lines);
  return {
    id,
    saga: saga ?? null,
    bars,
    records,
    drivers: [...new Set(records.filter(({ service }) => service === "order").map(({ driver }) => driver))],
    trace: lines.find(({ trace }) => trace !== undefined)?.trace ?? traceIdOf(saga?.traceparent),
  };
}

async function recordsOf(id: string, log: ServiceLog): Promise<StoryRecord[]> {
  const wanted = hash(id);
  const commits: number[] = [];
  for (let n = log.last; n > log.base && commits.length < MOST; n--) if (log.sagaAt(n) === wanted) commits.unshift(n);
  const records = await log.records(commits);
  return records.flatMap((record, i) =>
    record?.["saga"] === id
      ? [
          {
            service: log.service,
            n: commits[i] as number,
            record,
            driver: driverOf(record),
          },
        ]
      : [],
  );
}

function byTime(a: StoryRecord, b: StoryRecord): number {
  return Date.parse(a.record.at) - Date.parse(b.record.at) || rank(a) - rank(b);
}

/** The order of commits within one millisecond: a checkout begins before its steps, and ends after them. */
function rank({ record }: StoryRecord): number {
  const order = ["checkout", "reserve", "charge", "saga_abandoned", "refund", "release", "saga_closed", "saga_paid"];
  return order.indexOf(String(record["op"]));
}

function barsOf(records: readonly StoryRecord[], lines: readonly RequestLine[]): Bar[] {
  const used = new Set<StoryRecord>();
  const attempts = new Map<string, number>();
  const attempt = (name: string): number => {
    const next = (attempts.get(name) ?? 0) + 1;
    attempts.set(name, next);
    return next;
  };
  const bars: Bar[] = [];
  const asked = lines
    .filter(({ message, path, type, ms }) => ms !== undefined && (message === "request" ? path : type) !== undefined)
    .map((line) => ({ ...line, from: line.time - (line.ms ?? 0) }))
    .sort((a, b) => a.from - b.from);
  for (const line of asked) {
    const { service = "", from, time, path, type = "", waited, status = null, error = null } = line;
    // A message is named by what it tells; what is done about it, only the log says.
    const wanted = path === undefined ? null : nameOf(path);
    const commit = records.find(
      (entry) =>
        entry.service === service &&
        (wanted === null ? entry.record["op"] !== "checkout" : entry.record["op"] === wanted) &&
        within(entry, from, time) &&
        !used.has(entry),
    );
    if (commit !== undefined) used.add(commit);
    const name = wanted ?? opOf(commit) ?? type;
    bars.push({
      service,
      name,
      kind: kindOf(name),
      from,
      to: time,
      sent: waited === undefined ? null : from - waited,
      committed: commit === undefined ? null : Date.parse(commit.record.at),
      status,
      requestId: line.requestId ?? line.messageId ?? null,
      error,
      attempt: attempt(name),
      commit: commit === undefined ? null : { service, n: commit.n },
      driver: commit?.driver ?? null,
    });
  }
  // What no request tells of, by its commit alone: since the commit before, as far as the log knows.
  records.forEach((entry, i) => {
    if (used.has(entry)) return;
    const name = String(entry.record["op"]);
    const at = Date.parse(entry.record.at);
    bars.push({
      service: entry.service,
      name,
      kind: kindOf(name),
      from: asked.length > 0 ? at : Date.parse(records[i - 1]?.record.at ?? entry.record.at),
      to: at,
      sent: null,
      committed: at,
      status: null,
      requestId: null,
      error: null,
      attempt: attempt(name),
      commit: { service: entry.service, n: entry.n },
      driver: entry.driver,
    });
  });
  return bars.sort((a, b) => a.from - b.from || b.to - a.to);
}

function opOf(entry: StoryRecord | undefined): string | null {
  return entry === undefined ? null : String(entry.record["op"]);
}

function within({ record }: StoryRecord, from: number, to: number): boolean {
  const at = Date.parse(record.at);
  return at >= from - 2 && at <= to + 2;
}

/** The operation's name, from a route's path. */
function nameOf(path: string): string {
  const parts = path.split("/");
  return parts[2] ?? path;
}

function kindOf(name: string): Bar["kind"] {
  if (name === "checkout") return "checkout";
  if (name.startsWith("saga_")) return "transition";
  return COMPENSATIONS.has(name) ? "compensation" : "step";
}
