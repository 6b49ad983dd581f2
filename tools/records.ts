/** Records as they are chosen and shown. */
import { parseRecord, type LogRecord, type SegmentLine } from "log-replay/tools";
import { paint } from "./output.ts";
import type { OpenLog } from "./open-logs.ts";

/** A record with the service whose log it is from. */
export interface ServiceRecord {
  readonly service: OpenLog["service"];
  readonly record: LogRecord;
}

export interface Choice {
  /** A key, or a prefix and a star. */
  readonly key?: string;
  readonly saga?: string;
  readonly op?: string;
}

/**
 * Whether a record is one of those that are asked for. Looks at the line first, because parsing each one would take
 * most of the time.
 */
export function chosen(
  { key, saga, op }: Choice,
  { line, file }: Pick<SegmentLine, "line" | "file">,
): LogRecord | null {
  const needles = [key?.replace(/\*$/, ""), saga, op].filter((needle) => needle !== undefined && needle !== "");
  if (!needles.every((needle) => line.includes(JSON.stringify(needle).slice(1, -1)))) return null;
  const record = parseRecord(line, file);
  const keys = Object.keys(record.set);
  if (op !== undefined && record["op"] !== op) return null;
  if (key !== undefined && !keys.some((candidate) => matches(key, candidate))) return null;
  if (saga !== undefined && !isAbout(saga, record)) return null;
  return record;
}

export function matches(pattern: string, key: string): boolean {
  return pattern.endsWith("*") ? key.startsWith(pattern.slice(0, -1)) : key === pattern;
}

/** A saga's own records name it; those that delete its rows have it in their keys. */
export function isAbout(saga: string, { set, ...notes }: LogRecord): boolean {
  return notes["saga"] === saga || Object.keys(set).some((key) => key.endsWith(`:${saga}`));
}

/** For programs: without what only the log's own reader needs. */
export function plain({ service, record }: ServiceRecord): Record<string, unknown> {
  const { crc: _crc, frame: _frame, ...members } = record;
  return { service, ...members };
}

const MOST_KEYS = 3;
const MOST_CHARACTERS = 100;
const COLOURS = { order: "cyan", stock: "yellow", payment: "magenta" } as const;

/** For people: one line, shortened unless `long`. */
export function pretty({ service, record }: ServiceRecord, { long = false, withService = true } = {}): string {
  const { epoch, n, at, tx: _tx, set, crc: _crc, frame: _frame, op, ...notes } = record;
  const images = Object.entries(set);
  const shown = long ? images : images.slice(0, MOST_KEYS);
  const line = [
    paint("dim", at.replace("T", " ").replace("Z", "")),
    ...(withService ? [paint(COLOURS[service], service.padEnd(7))] : []),
    paint("dim", `${epoch}:${n}`.padStart(7)),
    paint("bold", (typeof op === "string" ? op : "-").padEnd(13)),
    ...Object.entries(notes).map(([name, value]) =>
      paint("blue", `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`),
    ),
    ...shown.map(
      ([key, image]) =>
        `${paint("green", key)} ${image === null ? paint("red", "deleted") : shortened(JSON.stringify(image), long)}`,
    ),
    ...(shown.length < images.length ? [paint("dim", `and ${images.length - shown.length} more`)] : []),
  ];
  return long ? line.join("  ") : brief(line.join("  "));
}

/** Random ids are cut to their first characters, which are enough to name them. */
export function brief(text: string): string {
  return text.replace(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "$1…");
}

function shortened(json: string, long: boolean): string {
  const text = long ? json : brief(json);
  return long || text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}
