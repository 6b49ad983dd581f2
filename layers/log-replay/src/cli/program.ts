/** A program of commands, as data: parsed, helped with and run in one way. */
import { parseArgs } from "node:util";
import { explain, EXIT, ToolError } from "./exit.ts";

/**
 * `--name`, or `--name <argument>`.
 *
 * @example
 * const at: Option = { argument: "moment", what: "a commit or a time", parse: parseMoment, isRequired: true };
 */
export interface Option {
  /** What the help says. */
  readonly what: string;
  /** What the value is called in the help, where there is one: `moment`. */
  readonly argument?: string;
  /** What the command is given for the text; the text itself without it. @throws an error that says what is wrong with it */
  readonly parse?: (text: string) => unknown;
  readonly isRequired?: boolean;
  /** The value where the option is not given. */
  readonly usual?: string | number;
}

/**
 * The options of a command, by name.
 *
 * @example
 * const options: Options = { json: { what: "for programs" }, last: { argument: "count", what: "so many", parse: natural } };
 */
export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends { readonly parse: (text: string) => infer Value }
  ? Value
  : O extends { readonly argument: string }
    ? string
    : boolean;
type Sure = { readonly isRequired: true } | { readonly usual: string | number };

/** What a command is given for its options. */
export type ValuesOf<O extends Options> = {
  readonly [Name in keyof O as O[Name] extends Sure ? Name : never]: ValueOf<O[Name]>;
} & {
  readonly [Name in keyof O as O[Name] extends Sure ? never : Name]?: ValueOf<O[Name]>;
};

/**
 * What a command is, with the types of its options; `command` makes it one among others.
 *
 * @example
 * const sales: CommandOf<{ day: { argument: "day"; what: "of this day" } }> = {
 *   name: "sales",
 *   arguments: "[shop...]",
 *   what: "how much was sold",
 *   examples: ["sales north --day 2026-01-31"],
 *   options: { day: { argument: "day", what: "of this day" } },
 *   run: async (shops, { day }) => print(`${shops.join()} ${day ?? "ever"}`),
 * };
 */
export interface CommandOf<O extends Options> {
  readonly name: string;
  /** `<log>`, `[service...]`, `<folder> [service...]`: as the help has it, and as it is checked. */
  readonly arguments: string;
  readonly what: string;
  /** The rest of command lines. */
  readonly examples: readonly string[];
  readonly options: O;
  /** It only shows what is there, so whoever reads no further has had enough: exit code 0. Of all others a verdict is missing then. */
  readonly onlyShows?: boolean;
  readonly run: (args: readonly string[], options: ValuesOf<O>) => Promise<void>;
}

export type Command = Omit<CommandOf<Options>, "run"> & {
  readonly run: (args: readonly string[], options: never) => Promise<void>;
};

/**
 * A command of a program.
 *
 * @example
 * const count = command({
 *   name: "count",
 *   arguments: "<log>",
 *   what: "how many commits a log has",
 *   examples: ["count seats-log"],
 *   options: { json: { what: "for programs" } },
 *   run: async ([name = ""], { json = false }) => {
 *     const { store: read } = await openOne(logs, name);
 *     const n = (await commitAt(read, { time: Infinity }))?.n ?? 0;
 *     await (json ? printJson({ n }) : print(`${n}`));
 *   },
 * });
 */
export function command<const O extends Options>(described: CommandOf<O>): Command {
  return described;
}

/** Commands under one name. */
export interface Program {
  /** `npx NAME` is what the examples begin with. */
  readonly name: string;
  readonly what: string;
  /** What the help says last: where logs are looked for, exit codes. */
  readonly notes: string;
  readonly version?: string;
  readonly commands: readonly Command[];
}

/**
 * Runs the command that the arguments name, and sets the exit code of the process: 0 all is well, 1 something is wrong, 2 it could
 * not be done; then one line on stderr says why. Never rejects.
 *
 * @example
 * await runProgram({ name: "shops", what: "The shops' logs.", notes: "", commands: Object.values(logCommands(logs)) });
 */
export async function runProgram(program: Program, argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.stderr.write(`error: ${explain(error)}\n`);
    process.exit(error.code === "EPIPE" ? unheard(program, argv) : EXIT.failed);
  });
  try {
    await runCommand(program, argv);
  } catch (error) {
    process.stderr.write(`error: ${explain(error)}\n`);
    process.exitCode = EXIT.failed;
  }
}

/**
 * Runs a command within another program. It may set the exit code of the process.
 * @throws ToolError; what the command throws
 *
 * @example
 * await runCommand(program, ["verify", "seats-log"]);
 */
export async function runCommand(program: Program, [name, ...rest]: readonly string[]): Promise<void> {
  if (name === "--version" && program.version !== undefined) return say(program.version);
  if (name === "--help" || name === "-h") return say(helpOf(program));
  if (name === "help") return say(helpOf(program, rest[0] === undefined ? undefined : named(program, rest[0])));
  if (name === undefined) {
    process.stderr.write(`${helpOf(program)}\n`);
    process.exitCode = EXIT.failed;
    return;
  }
  const chosen = named(program, name);
  const { args, values, isHelp } = parsed(chosen, rest);
  if (isHelp) return say(helpOf(program, chosen));
  await chosen.run(args, values as never);
}

/** The exit code where the reader has gone away, as in `show | head`: what was found so far, and else nothing that was not looked at. */
function unheard({ commands }: Program, [name]: readonly string[]): number | string {
  if (process.exitCode !== undefined && process.exitCode !== null) return process.exitCode;
  const running = commands.find((candidate) => candidate.name === name);
  return running === undefined || running.onlyShows === true ? EXIT.ok : EXIT.unheard;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function named({ name: program, commands }: Program, name: string): Command {
  const found = commands.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolError(`unknown command '${name}': ${program} --help lists them`);
  return found;
}

const HELP = { type: "boolean", short: "h" } as const;

interface Parsed {
  readonly args: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
  readonly isHelp: boolean;
}

/** @throws ToolError */
function parsed({ arguments: pattern, options }: Command, argv: readonly string[]): Parsed {
  const types = Object.entries(options).map(
    ([name, { argument }]) => [name, { type: argument === undefined ? "boolean" : "string" }] as const,
  );
  const { values: given, positionals } = attempt(() =>
    parseArgs({
      args: joined(argv, options),
      options: { ...Object.fromEntries(types), help: HELP },
      allowPositionals: true,
    }),
  );
  if (given.help === true) return { args: [], values: {}, isHelp: true };
  checkArguments(pattern, positionals);
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const text = (given as Readonly<Record<string, string | boolean | undefined>>)[name];
    const title = `option '${titleOf(name, option)}'`;
    if (text === "") throw new ToolError(`${title} is empty: was a variable not set?`);
    if (text === undefined && option.isRequired === true) throw new ToolError(`required ${title} not specified`);
    const { parse } = option;
    const value = typeof text === "string" && parse !== undefined ? attempt(() => parse(text), title) : text;
    if (value !== undefined || option.usual !== undefined) values[name] = value ?? option.usual;
  }
  return { args: positionals, values, isHelp: false };
}

/**
 * `--name` and a value that begins with a dash in one, as `--name=-1`: Node takes such a value for an option that is missing one.
 * @throws ToolError where it may be one
 */
function joined(argv: readonly string[], options: Options): string[] {
  const args: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [arg, next] = [argv[i] ?? "", argv[i + 1] ?? ""];
    if (arg === "--") return [...args, ...argv.slice(i)];
    const name = arg.slice(2);
    const option = arg.startsWith("--") ? options[name] : undefined;
    const isValueNext = option?.argument !== undefined && next.startsWith("-") && next !== "-";
    if (isValueNext && !/^-\d/.test(next))
      throw new ToolError(
        `option '${titleOf(name, option)}' has no value; one that begins with a dash is written --${name}=VALUE`,
      );
    args.push(isValueNext ? `${arg}=${next}` : arg);
    if (isValueNext) i++;
  }
  return args;
}

/** What fails is what the user wrote. Of Node's own messages the first sentence says it. @throws ToolError */
function attempt<T>(work: () => T, title?: string): T {
  try {
    return work();
  } catch (cause) {
    const [what = ""] = (cause as Error).message.split(/\. |\.?\n/);
    throw new ToolError(title === undefined ? what : `${title}: ${what}`, { cause });
  }
}

/** @throws ToolError */
function checkArguments(pattern: string, args: readonly string[]): void {
  const wanted = pattern.split(" ").filter(Boolean);
  const missing = wanted.find((each, i) => each.startsWith("<") && args[i] === undefined);
  if (missing !== undefined) throw new ToolError(`missing required argument '${nameOf(missing)}'`);
  // Of an empty path the rest of a name is one, and an empty folder is the one that we are in.
  const empty = args.indexOf("");
  if (empty >= 0)
    throw new ToolError(`argument '${nameOf(wanted[empty] ?? wanted.at(-1) ?? "")}' is empty: was a variable not set?`);
  if (args.length > wanted.length && wanted.at(-1)?.includes("...") !== true)
    throw new ToolError(`too many arguments: ${args.slice(wanted.length).join(" ")}`);
}

const nameOf = (argument: string): string => argument.replace(/[<>[\].]/g, "");
const titleOf = (name: string, { argument }: Option): string =>
  `--${name}${argument === undefined ? "" : ` <${argument}>`}`;

/**
 * The help of a program, or of one of its commands.
 *
 * @example
 * await print(helpOf(program));
 */
export function helpOf({ name, what, notes, commands }: Program, one?: Command): string {
  if (one === undefined) {
    const rows = commands.map((each) => [`${each.name} ${each.arguments}`, each.what] as const);
    return [
      `Usage: ${name} <command> [options]`,
      what,
      `Commands:\n${table(rows)}`,
      `${name} help <command> has the options and examples of each.`,
      ...(notes === "" ? [] : [notes]),
    ].join("\n\n");
  }
  const options = Object.entries(one.options).map(([option, about]) => {
    const usual = about.usual === undefined ? "" : ` (default ${about.usual})`;
    return [titleOf(option, about), `${about.what}${about.isRequired === true ? " (required)" : usual}`] as const;
  });
  return [
    `Usage: ${name} ${[one.name, one.arguments, "[options]"].filter(Boolean).join(" ")}`,
    one.what,
    `Options:\n${table([...options, ["-h, --help", "this text"]])}`,
    `Examples:\n${one.examples.map((example) => `  $ npx ${name} ${example}`).join("\n")}`,
  ].join("\n\n");
}

const WIDTH = 110;

/** Two columns, the second one wrapped. */
function table(rows: readonly (readonly [string, string])[]): string {
  const left = Math.max(...rows.map(([first]) => first.length)) + 4;
  return rows
    .map(([first, second]) => `  ${first}`.padEnd(left) + wrapped(second, WIDTH - left).join(`\n${" ".repeat(left)}`))
    .join("\n");
}

function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
