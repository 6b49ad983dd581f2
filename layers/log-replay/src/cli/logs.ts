import type { LogRecord } from "../format/record.ts";
import type { RepairableStore } from "../stores/store.ts";
import type { Law } from "../tools/verify.ts";
import { ToolError } from "./exit.ts";

/**
 * One log, and what a program knows of it.
 *
 * @example
 * const log: Log = {
 *   name: "north",
 *   where: "north-log",
 *   store: await openFileStore({ folder: "north-log" }),
 *   law: ({ op }) => (op === undefined ? ["it names no operation"] : []),
 * };
 */
export interface Log {
  /** What it is called in all that is printed. */
  readonly name: string;
  /** A folder, or `s3://BUCKET/PREFIX`. */
  readonly where: string;
  readonly store: RepairableStore;
  /** What must be true of its records, for `verify`. */
  readonly law?: Law;
  /** Its Redis, where one is known, and the prefixes that are indexed there; for `diff` and `restore`. */
  readonly redis?: string;
  /** What names that Redis, for whoever has to mend it: a variable of the environment, a file. */
  readonly redisFrom?: string;
  readonly indexes?: readonly string[];
}

/**
 * An option of `show` and `follow` that chooses records.
 *
 * @example
 * const user: Chooser = {
 *   argument: "id",
 *   what: "only commits of this user",
 *   needle: (id) => id,
 *   fits: (id, { user }) => user === id,
 * };
 */
export interface Chooser {
  readonly argument: string;
  readonly what: string;
  /** Text that the line of such a record has in it: only lines that have it are parsed. */
  readonly needle: (value: string) => string;
  readonly fits: (value: string, record: LogRecord) => boolean;
}

/**
 * The logs that the commands work on, and what they are called.
 *
 * @example
 * const logs: Logs = {
 *   noun: "shop",
 *   all: ["north", "south"],
 *   example: { log: "north", key: "item:7", op: "sell" },
 *   open: (names) => Promise.all((names.length > 0 ? names : ["north", "south"]).map(openShop)),
 * };
 */
export interface Logs<L extends Log = Log> {
  /** One of them, in the help: `service`. */
  readonly noun: string;
  /** The member of JSON with the name of a log; the noun where it is not given. */
  readonly member?: string;
  /**
   * All that there are, for a program that knows them and their Redis servers: without arguments a command takes all of them.
   * A program that does not is given each log by name, and its Redis by an option.
   */
  readonly all?: readonly string[];
  /** Options of `show` and `follow` besides `--key` and `--op`. */
  readonly choosers?: Readonly<Record<string, Chooser>>;
  /** What the examples of the help name. */
  readonly example: { readonly log: string; readonly key: string; readonly op: string };
  /** Opens those that are named, or all, in the order in which they are to be shown. @throws ToolError, LogError */
  readonly open: (names: readonly string[]) => Promise<readonly L[]>;
}

/** The argument of a command that takes one of them, and of one that takes several. */
export const one = ({ noun }: Logs): string => `<${noun}>`;
export const several = ({ noun, all }: Logs): string => (all === undefined ? `<${noun}...>` : `[${noun}...]`);

/**
 * Opens one log.
 * @throws ToolError, LogError
 *
 * @example
 * const { store } = await openOne(logs, "seats-log");
 */
export async function openOne<L extends Log>(logs: Logs<L>, name: string): Promise<L> {
  const [log] = await logs.open([name]);
  if (log === undefined) throw new ToolError(`there is no ${logs.noun} ${name}`);
  return log;
}

/** What JSON about a log begins with. */
export function label({ noun, member = noun }: Pick<Logs, "noun" | "member">, { name }: Log): Record<string, unknown> {
  return { [member]: name };
}

/** What lines begin with: names of one width for all logs that are shown together. */
export function headings(logs: readonly Log[]): (log: Log) => string {
  const width = Math.max(0, ...logs.map(({ name }) => name.length));
  return ({ name }) => name.padEnd(width);
}
