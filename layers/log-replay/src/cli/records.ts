/** Records as they are chosen and shown. */
import { fieldsOf, parseRecord, type LogRecord } from "../format/record.ts";
import type { SegmentLine } from "../read/epoch-reader.ts";
import { headings, label, type Chooser, type Log, type Logs } from "./logs.ts";
import { paint, print, printJson } from "./output.ts";

export type Choosers = Readonly<Record<string, Chooser>>;

/** A key, or a prefix and a star. */
export function matches(pattern: string, key: string): boolean {
  return pattern.endsWith("*") ? key.startsWith(pattern.slice(0, -1)) : key === pattern;
}

const CHOOSERS = {
  key: {
    argument: "key",
    what: "only commits that write this key; user:* for all that begin so",
    needle: (pattern) => pattern.replace(/\*$/, ""),
    fits: (pattern, record) =>
      [...Object.keys(record.set), ...Object.keys(fieldsOf(record))].some((key) => matches(pattern, key)),
  },
  op: {
    argument: "name",
    what: "only commits that note this operation",
    needle: (op) => op,
    fits: (op, record) => record["op"] === op,
  },
} as const satisfies Choosers;

/** The options that choose records, for a command. @param more besides `key` and `op` */
export function choiceOptions(more: Choosers = {}): typeof CHOOSERS {
  return { ...more, ...CHOOSERS };
}

/**
 * Whether a record is one of those that are asked for, by the value of each chooser that is given one. Looks at the line
 * first, because parsing each one would take most of the time.
 * @param more besides `key` and `op`
 *
 * @example
 * const chosen = selector();
 * for await (const line of historyLines(store)) console.log(chosen({ key: "seat:*" }, line)?.n);
 */
export function selector(
  more: Choosers = {},
): (choice: object, line: Pick<SegmentLine, "line" | "file">) => LogRecord | null {
  const choosers = Object.entries<Chooser>(choiceOptions(more));
  return (choice, { line, file }) => {
    const asked = choosers.flatMap(([name, chooser]) => {
      const value = (choice as Readonly<Record<string, string | undefined>>)[name];
      return value === undefined ? [] : [{ ...chooser, value }];
    });
    const isCandidate = asked.every(({ needle, value }) => line.includes(JSON.stringify(needle(value)).slice(1, -1)));
    if (!isCandidate) return null;
    const record = parseRecord(line, file);
    return asked.every(({ fits, value }) => fits(value, record)) ? record : null;
  };
}

/** How records are printed. */
export interface Telling {
  /** Nothing is shortened. */
  readonly long?: boolean;
  readonly json?: boolean;
}

/**
 * Prints records of some logs that are shown together.
 *
 * @example
 * const tell = teller(logs, opened, { json: true });
 * for await (const { log, line } of timeline(opened)) await tell(log, parseRecord(line.line, line.file));
 */
export function teller(
  logs: Pick<Logs, "noun" | "member">,
  shown: readonly Log[],
  { long = false, json = false }: Telling = {},
): (log: Log, record: LogRecord) => Promise<void> {
  const describe = pretty(shown, long);
  return (log, record) => (json ? printJson({ ...label(logs, log), ...plain(record) }) : print(describe(log, record)));
}

/** For programs: without what only the log's own reader needs. */
function plain({ crc: _crc, frame: _frame, ...members }: LogRecord): object {
  return members;
}

const MOST_KEYS = 3;
const MOST_CHARACTERS = 100;
const COLOURS = ["cyan", "yellow", "magenta", "blue", "green"] as const;

/**
 * A record as a person reads it: on one line, shortened unless `long`, with its log where several are shown.
 *
 * @example
 * const describe = pretty([log], false);
 * await print(describe(log, record));
 */
export function pretty(shown: readonly Log[], long: boolean): (log: Log, record: LogRecord) => string {
  const heading = headings(shown);
  const names = shown.map(({ name }) => name);
  return (log, record) => {
    const { epoch, n, at, tx: _tx, set: _set, crc: _crc, frame: _frame, op, ...others } = record;
    const changes = changesIn(record, long);
    const told = long ? changes : changes.slice(0, MOST_KEYS);
    const notes = Object.entries(others).filter(([name, value]) => name !== "fields" || value !== fieldsOf(record));
    const colour = COLOURS[names.indexOf(log.name) % COLOURS.length] ?? "cyan";
    const line = [
      paint("dim", at.replace("T", " ").replace("Z", "")),
      ...(shown.length > 1 ? [paint(colour, heading(log))] : []),
      paint("dim", `${epoch}:${n}`.padStart(7)),
      paint("bold", (typeof op === "string" ? op : "-").padEnd(13)),
      ...notes.map(([name, value]) =>
        paint("blue", `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`),
      ),
      ...told,
      ...(told.length < changes.length ? [paint("dim", `and ${changes.length - told.length} more`)] : []),
    ];
    return long ? line.join("  ") : brief(line.join("  "));
  };
}

/** What becomes of each key, in words. A hash that is null in what is set has no other fields than these. */
function changesIn(record: LogRecord, long: boolean): string[] {
  const hashes = fieldsOf(record);
  const text = (value: unknown): string => shortened(JSON.stringify(value), long);
  return [
    ...Object.entries(record.set)
      .filter(([key]) => !Object.hasOwn(hashes, key))
      .map(([key, value]) => `${paint("green", key)} ${value === null ? paint("red", "deleted") : text(value)}`),
    ...Object.entries(hashes).map(
      ([key, fields]) => `${paint("green", key)} ${record.set[key] === null ? "hash" : "fields"} ${text(fields)}`,
    ),
  ];
}

/**
 * Random ids are cut to their first characters, which are enough to name them.
 *
 * @example
 * brief("user:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"); // "user:f81d4fae…"
 */
export function brief(text: string): string {
  return text.replace(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "$1…");
}

function shortened(json: string, long: boolean): string {
  const text = long ? json : brief(json);
  return long || text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}
